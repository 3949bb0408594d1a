"""The HTML format of listings: one page with its style and script inline.

The page is assembled once, from ``page.html``, ``page.css`` and ``page.js`` in ``assets``. It loads no other
resources. Its Content Security Policy (level 3) allows only this style and script, by their hashes, so a
script in a name would not run even if a bug left the name unescaped.

1. Names are escaped (``&<>"'``) in text, and percent-encoded as one segment of a relative URL in links.
   Where the page is not at the URL of its directory, the links begin with ``base``.
2. Sizes are in units of 1,000, with the exact number in the title. Times are in UTC; the script converts
   them to local time.
3. Without the script, the links in the column headers sort, and a plain form uploads.
"""

import re
from html import escape
from importlib import resources
from string import Template
from urllib.parse import quote

from reactor.http11.html import content_security_policy, html_headers

from .directory import Entry

_ASSETS = resources.files(__package__) / "assets"
_STYLE = (_ASSETS / "page.css").read_text("utf-8")
_SCRIPT = (_ASSETS / "page.js").read_text("utf-8")
_TOP, _BOTTOM = (Template(part) for part in (_ASSETS / "page.html").read_text("utf-8").split("$rows\n"))
_UPLOAD = (
    '<form id="upload" method="post" enctype="multipart/form-data" action="{}">'
    '<label for="files">Upload files</label>'
    '<input type="file" id="files" name="file" multiple required>'
    '<button type="submit">Upload</button></form>'
)
_SORT_ALL = '<span class="scripted"> Click a column title to sort all.</span>'
_COLUMNS = (("name", "Name", "asc"), ("size", "Size", "desc"), ("time", "Modified", "desc"))
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")

# Names of only these characters need no escaping or percent-encoding.
_is_plain = re.compile(r"[0-9A-Za-z._~-]+").fullmatch


POLICY = content_security_policy(_STYLE, _SCRIPT, "'self'")
HTML_HEADERS = html_headers(POLICY)


def human_size(size: int) -> str:
    """Format a size with at most three digits and a unit.

    >>> [human_size(size) for size in (0, 999, 1_000, 12_345, 999_999, 10**9)]
    ['0 B', '999 B', '1.0 kB', '12 kB', '1.0 MB', '1.0 GB']
    """
    if size < 1000:
        return f"{size} B"
    value, index = size / 1000, 0
    while value >= 999.5 and index < len(_UNITS) - 1:
        value, index = value / 1000, index + 1
    unit = _UNITS[index]
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def counted(number: int, noun: str) -> str:
    """Format a number with its noun.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def breadcrumbs(path: str) -> str:
    """Return the breadcrumbs of a directory: a link to each parent, and the directory itself as heading."""
    names = path.strip("/").split("/")
    links = [
        f'<li><a href="{"../" * up}"><bdi>{escape(name)}</bdi></a></li>'
        for up, name in zip(range(len(names) - 1, 0, -1), names, strict=False)
    ]
    return "\n".join([*links, f'<li><h1 aria-current="page"><bdi>{escape(names[-1])}</bdi></h1></li>'])


def heads(by: str, descending: bool) -> str:
    """Return the column headers: links that sort, in the opposite order for the sorted column."""
    return "\n".join(_head(*column, by, descending) for column in _COLUMNS)


def _head(name: str, title: str, first: str, by: str, descending: bool) -> str:
    aria = order = ""
    if name == by:
        aria = f' aria-sort="{"descending" if descending else "ascending"}"'
        order = "asc" if descending else "desc"
    link = f'<a href="?sort={name}&amp;order={order or first}">{title}</a>'
    utc = ' <span class="utc">(UTC)</span>' if name == "time" else ""
    return f'<th role="columnheader" scope="col" class="{name}" data-first="{first}"{aria}>{link}{utc}</th>'


class HtmlFormat:
    """The format of one listing; counts the entries for the summary.

    ``base`` is the relative URL of the directory, "" if the page is at the URL of the directory.
    """

    def __init__(self, path: str, by: str, descending: bool, may_upload: bool, base: str = "") -> None:
        self._path = path
        self._by = by
        self._descending = descending
        self._may_upload = may_upload
        self._base = base
        self._directories = self._files = self._bytes = 0

    def begin(self) -> str:
        """Return the page up to the rows."""
        return _TOP.substitute(
            title=escape(self._path),
            style=_STYLE,
            breadcrumbs=breadcrumbs(self._path),
            upload=_UPLOAD.format(self._base or "./") if self._may_upload else "",
            heads=heads(self._by, self._descending),
        )

    def rows(self, entries: list[Entry]) -> str:
        """Return one table row per entry."""
        self._directories += sum(entry.is_directory for entry in entries)
        self._bytes += sum(entry.size for entry in entries)
        self._files += len(entries)
        return "".join([_row(entry, self._base) for entry in entries])

    def end(self, in_order: int, note: str) -> str:
        """Return the page after the rows."""
        files = self._files - self._directories
        parts = [counted(self._directories, "folder")] if self._directories else []
        parts += [counted(files, "file"), human_size(self._bytes)] if files else []
        return _BOTTOM.substitute(
            summary=" · ".join(parts),
            empty="" if parts else _empty(self._may_upload),
            order=f'<p id="order">{note}{_SORT_ALL}</p>' if note else "",
            script=_SCRIPT,
        )


def _empty(may_upload: bool) -> str:
    hint = '<span class="scripted"> Drop files anywhere to upload them.</span>' if may_upload else ""
    return f"<p>This folder is empty.{hint}</p>"


def _row(entry: Entry, base: str) -> str:
    """Return one table row."""
    name, is_directory, size, _ = entry
    text = link = name
    if _is_plain(name) is None:
        text, link = escape(name), quote(name, safe="")
    if is_directory:
        kind, slash, measure = "directory", "/", ""
    else:
        kind, slash = "file", ""
        measure = f'<data value="{size}" title="{counted(size, "byte")}">{human_size(size)}</data>'
    then = entry.timestamp
    return (
        f'<tr role="row" class="{kind}">'
        f'<td role="cell"><a href="{base}{link}{slash}"><bdi>{text}</bdi>{slash}</a>'
        f'<td role="cell">{measure}'
        f'<td role="cell"><time datetime="{then}">{then[:10]} {then[11:16]}</time>\n'
    )

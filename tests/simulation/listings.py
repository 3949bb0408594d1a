"""Listings of directories, in three formats, and the model of what they list."""

import json
import re
from dataclasses import dataclass
from html import unescape
from time import gmtime, strftime
from urllib.parse import unquote

from tests.simulation.disk import FADING, modified
from tests.simulation.downloads import composed, target_of
from tests.simulation.exchange import Exchange, Fields, Writer, explain_wrong_fields, is_line
from tests.simulation.tree import DIRECTORY, State
from tests.support.in_process import Answer

PLACES = ("", "", "docs/", "docs/", "docs/deep/", "empty/", f"{FADING}/", "none/")
# Fields, and the format and Vary that they lead to.
FORMATS: tuple[tuple[list[str], str, str], ...] = (
    ([], "html", "Accept, User-Agent"),
    (["User-Agent: curl/8.5", "Accept: */*"], "text", "Accept, User-Agent"),
    (["Accept: application/json"], "json", "Accept"),
    (["Accept: application/json"], "json", "Accept"),
    (["Accept: text/plain", "User-Agent: Wget"], "text", "Accept"),
    (["Accept: text/html, */*;q=0.8", "User-Agent: curl/8.5"], "html", "Accept"),
    (["Accept: text/html;q=0.2, application/json;q=0.9"], "json", "Accept"),
)
TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "text": "text/plain; charset=utf-8"}
_find_links = re.compile(
    r'<tr role="row" class="(\w+)"><td role="cell"><a href="([^"]*)"><bdi>([^<]*)</bdi>(/?)</a>'
    r'<td role="cell">(?:<data value="(\d+)"[^>]*>[^<]*</data>)?<td role="cell"><time datetime="([^"]+)">'
).findall


@dataclass(frozen=True)
class Row:
    """An entry of a listing; None for what its format does not have."""

    name: str
    is_directory: bool
    size: int | None = None
    time: str | None = None


@dataclass
class Listing:
    """A GET of a directory, and the check of its answers."""

    writer: Writer
    place: str
    form: str
    vary: str
    query: str = ""
    base: str = ""

    def __post_init__(self) -> None:
        self._tree = self.writer.disk.tree
        self._since = self._tree.changes

    def verify(self, answer: Answer, content: bytes) -> str:
        """Return what is wrong with an answer, "" if it is right."""
        exists = {
            state is DIRECTORY for state in self._tree.states(self.place.removesuffix("/"), self._since)
        }
        if answer.status == 404:
            return "the directory exists" if False not in exists or not is_line(content) else ""
        if True not in exists:
            return "the directory does not exist"
        fields: Fields = {"content-type": TYPES[self.form], "vary": f"{self.vary}, Accept-Encoding"}
        fields |= {"cache-control": "no-cache", "x-content-type-options": "nosniff", "etag": None}
        return explain_wrong_fields(answer.headers, fields) or self._explain(content.decode())

    def _explain(self, text: str) -> str:
        """Return what is wrong with the rows."""
        rows = {"text": _read_text, "json": self._read_json, "html": self._read_html}[self.form](text)
        right = sorted(rows, key=self._key, reverse="desc" in self.query)
        right.sort(key=lambda row: not row.is_directory)
        if rows != right:
            return f"the rows are in the wrong order: {rows}"
        found = {self.place + row.name: row for row in rows}
        if len(found) < len(rows):
            return "a name is listed twice"
        for path in {*found, *self._tree.children(self.place)}:
            states = self._tree.states(path, self._since)
            row = found.get(path)
            if None not in states and row is None:
                return f"{path} is missing"
            if row is not None and not any(_is_right(row, state) for state in states):
                return f"{row} is wrong"
        return ""

    def _key(self, row: Row) -> tuple[object, ...]:
        """Return the sort key of a row: its size if that is asked for, and its name in natural order."""
        parts = re.split("([0-9]+)", row.name.lower())
        name = [int(part) if number % 2 else part for number, part in enumerate(parts)]
        return (row.size or 0) if "size" in self.query else 0, name

    def _read_json(self, text: str) -> list[Row]:
        found = json.loads(text)
        assert found["path"] == f"/files/{self.place}", found["path"]
        return [
            Row(each["name"], each["type"] == "directory", each["size"], each["modified"])
            for each in found["entries"]
        ]

    def _read_html(self, text: str) -> list[Row]:
        rows = []
        for kind, link, name, slash, size, time in _find_links(text):
            is_directory = kind == "directory"
            row = Row(unescape(name), is_directory, int(size) if size else None, time)
            assert bool(slash) is is_directory, row
            assert unquote(link) == f"{self.base}{row.name}{slash}", link
            assert not set(link) & set(" <>\"&'"), link
            rows.append(row)
        assert text.count("<tr ") == len(rows) + 1, "an unreadable row"
        assert text.endswith("</html>\n"), "an incomplete page"
        return rows


def _read_text(text: str) -> list[Row]:
    return [Row(line.removesuffix("/"), line.endswith("/")) for line in text.splitlines()]


def _is_right(row: Row, state: State) -> bool:
    """Return whether a row is right for a state."""
    if state is None or row.is_directory is not (state is DIRECTORY):
        return False
    if state is DIRECTORY:
        return row.size is None
    time = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(modified(state) // 1_000_000_000))
    return row.size in (None, len(state)) and row.time in (None, time)


def listing(writer: Writer) -> Exchange:
    """Write a request for a listing, sometimes that of the start page."""
    random = writer.world.random
    place = random.choice(PLACES)
    fields, form, vary = random.choice(FORMATS)
    gzip, lines = writer.coding()
    query = random.choice(("", "", "?order=desc", "?sort=size", "?sort=size&order=desc"))
    if form == "text":
        query = query.replace("size", "name")  # its rows have no size
    is_page = random.random() < 0.1

    def compose() -> Exchange:
        if is_page:
            request = Listing(writer, "", "html", "Accept", "", "files/")
            data = writer.head("GET / HTTP/1.1", "Accept: text/html", *lines)
        else:
            request = Listing(writer, place, form, vary, query)
            data = writer.head(f"GET {target_of(place)}{query} HTTP/1.1", *fields, *lines)
        return Exchange(
            data,
            (200, 404),
            on_disk=True,
            compressed=gzip,
            verify=request.verify,
            began=writer.world.now,
            size=30_000 if request.form == "html" else 2_000,
        )

    return composed(compose)


def redirection(writer: Writer) -> Exchange:
    """Ask for a directory without the slash at its end."""
    path, location = writer.world.random.choice(
        (
            ("/files/docs?sort=size", "./docs/?sort=size"),
            ("/files", "./files/"),
            ("/files/docs/deep", "./deep/"),
        )
    )

    def verify(answer: Answer, content: bytes) -> str:
        return explain_wrong_fields(answer.headers, {"location": location})

    return Exchange(writer.head(f"GET {path} HTTP/1.1"), (301,), b"", on_disk=True, verify=verify)

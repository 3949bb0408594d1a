"""Directory listings: the sorted entries of a directory as HTML, JSON or plain text.

1. Accept selects the format (RFC 9110, 12.5.1). If it leaves the choice, curl gets text, other clients HTML.
2. Each batch of entries is sorted when it is read, so that no step has to sort all entries.
3. The sorted batches are merged while they are written, a few rows per step. A slow client keeps its
   entries in memory for a long time, so one listing holds at most ``MAX_SORTED`` and all listings together
   ``MAX_HELD`` entries. Entries beyond these limits follow, sorted only within their batch, and the end of
   the listing says so.
4. Directories come first, then names in natural order: "file 9" before "file 10".

The body is an iterator with one step per turn of the event loop. The first steps, which read entries, yield
only the beginning of the body.
"""

import heapq
import json
import re
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, unquote

from reactor.http11.accept import preferred_format
from reactor.http11.message import UTF8_TEXT, HeaderPairs, Request, Response

from .directory import Entry
from .listing_html import HTML_HEADERS, HtmlFormat

ROWS = 128  # written per step
MAX_SORTED = 10_000  # entries per listing; about half a kilobyte each
MAX_HELD = 200_000  # entries in all listings of one server
COMPRESS_MIN_SIZE = 256
COMMON = (
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    # Not "no-referrer": the upload form of the page would be sent with "Origin: null".
    ("Referrer-Policy", "same-origin"),
)
JSON = (("Content-Type", "application/json"),)

# An entry behind its sort key. The garbage collector does not visit exact tuples of texts and numbers; with
# other rows, twenty listings of 10,000 sorted entries made it block the loop for 130 ms.
Row = tuple[bool, int, str, str, bool, int, int]

_replace_numbers = re.compile(r"0*([1-9][0-9]*)|0+").sub
_find_controls = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Batches(Protocol):
    """A closable iterable of batches of entries."""

    def __iter__(self) -> Iterator[list[Entry]]:
        """Return the iterator."""

    def close(self) -> None:
        """Close the directory."""


class Format(Protocol):
    """A listing format: text before the rows, the rows, text after the rows."""

    def begin(self) -> str:
        """Return the text before the rows."""

    def rows(self, entries: list[Entry]) -> str:
        """Return the rows of some entries; called repeatedly, in order."""

    def end(self, in_order: int, note: str) -> str:
        """Return the text after the rows, of which the first ``in_order`` are sorted.

        ``note`` is a sentence that says so; empty if all rows are sorted.
        """


class Order(NamedTuple):
    """The sort order of a listing: by "name", "size" or "time", ascending or descending."""

    by: str = "name"
    descending: bool = False

    def row(self, entry: Entry) -> Row:
        """Return an entry with its sort key, which puts directories first in both directions."""
        first = entry.is_directory is self.descending
        return first, _SORT_KEYS[self.by](entry), natural_key(entry.name), *entry


_SORT_KEYS: dict[str, Callable[[Entry], int]] = {
    "name": lambda entry: 0,
    "size": lambda entry: entry.size,
    "time": lambda entry: entry.modified,
}


def entry_of_row(row: Row) -> Entry:
    """Return the entry of a row."""
    return Entry(*row[3:])


def _number_key(match: re.Match[str]) -> str:
    digits = match[1] or ""
    return f"\0{chr(len(digits))}{digits}"


def natural_key(name: str) -> str:
    """Return a sort key that ignores case and compares numbers in names by value.

    A number is written as NUL, which no name contains, its length without leading zeros, and its digits.

    >>> sorted(["b2", "B10", "a", "b-", "b"], key=natural_key)
    ['a', 'b', 'b2', 'B10', 'b-']
    """
    return _replace_numbers(_number_key, name.casefold())


def parse_order(query: str) -> Order:
    """Parse the sort order from a query; missing and invalid values mean by name, ascending."""
    fields = parse_qs(query, max_num_fields=8) if query and query.count("&") < 8 else {}
    by = fields.get("sort", ["name"])[-1]
    return Order(by if by in _SORT_KEYS else "name", fields.get("order", [""])[-1] == "desc")


class TextFormat:
    """One name per line, with a trailing slash for directories; controls are percent-encoded.

    A note follows at the end, after an empty line.
    """

    def begin(self) -> str:
        """Return an empty string."""
        return ""

    def rows(self, entries: list[Entry]) -> str:
        """Return one line per entry."""
        return "".join(f"{_without_controls(each.name)}{'/' * each.is_directory}\n" for each in entries)

    def end(self, in_order: int, note: str) -> str:
        """Return the note."""
        return f"\n{note}\n" if note else ""


class JsonFormat:
    """An object with the path, an array of entries, and how many of them, from the first on, are sorted.

    The size of a directory is null.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._separator = "\n"

    def begin(self) -> str:
        """Return the opening of the object and its array."""
        return f'{{"path": {json.dumps(self._path)}, "entries": ['

    def rows(self, entries: list[Entry]) -> str:
        """Return one object per entry, comma-separated."""
        rows = ",\n".join(map(self._row, entries))
        separator, self._separator = self._separator, ",\n"
        return separator + rows

    def end(self, in_order: int, note: str) -> str:
        """Return the closing of the array, the number of sorted entries, and the closing of the object."""
        return f'\n], "sorted_entries": {in_order}}}\n'

    @staticmethod
    def _row(entry: Entry) -> str:
        kind, size = ("directory", "null") if entry.is_directory else ("file", entry.size)
        fields = f'"type": "{kind}", "size": {size}, "modified": "{entry.timestamp}"'
        return f'{{"name": {json.dumps(entry.name)}, {fields}}}'


class EntryBudget:
    """The number of entries that all listings of one server hold in memory."""

    def __init__(self) -> None:
        self.used = 0


class ListingChunks:
    """The chunks of a listing, generated one at a time; close() also closes an iterator not yet started."""

    def __init__(self, batches: Batches, order: Order, form: Format, budget: EntryBudget) -> None:
        self._batches = batches
        self._steps = _write(batches, order, form, budget)

    def __iter__(self) -> "ListingChunks":
        return self

    def __next__(self) -> bytes:
        return next(self._steps)

    def close(self) -> None:
        """Close the directory."""
        self._steps.close()
        self._batches.close()


def _write(batches: Batches, order: Order, form: Format, budget: EntryBudget) -> Generator[bytes, None, None]:
    """Yield the chunks of a listing; b"" while entries are being read."""
    yield form.begin().encode()
    unread = iter(batches)
    held = 0
    runs = []
    try:
        while held < MAX_SORTED and budget.used < MAX_HELD and (batch := next(unread, None)) is not None:
            # In reverse, since rows are popped from the end.
            runs.append(sorted(map(order.row, batch), reverse=not order.descending))
            held += len(batch)
            budget.used += len(batch)
            yield b""
        merged = map(entry_of_row, heapq.merge(*map(_drain, runs), reverse=order.descending))
        while rows := list(islice(merged, ROWS)):
            yield form.rows(rows).encode()
    finally:
        budget.used -= held
    others = 0
    for batch in unread:
        others += len(batch)
        rows = list(map(entry_of_row, sorted(map(order.row, batch), reverse=order.descending)))
        yield form.rows(rows).encode() if rows else b""
    yield form.end(held, _order_note(held, held + others) if others else "").encode()


def _order_note(in_order: int, total: int) -> str:
    return f"Only {in_order:,} of {total:,} entries are sorted; the others follow in groups."


def _drain(run: list[Row]) -> Iterator[Row]:
    """Pop and yield rows from the end: freeing all of them in one step would block the loop."""
    while run:
        yield run.pop()


def list_directory(
    request: Request,
    path: str,
    batches: Batches,
    may_upload: bool,
    budget: EntryBudget | None = None,
    base: str = "",
) -> Response:
    """Return the listing of a directory; ``path`` is its decoded path, with a slash at both ends.

    In JSON, it is behind the prefix of the request; the links of a page are relative.
    ``base`` is the relative URL of the directory, if it is not the URL of the request.
    """
    wanted, vary = preferred_format(request.headers.get("Accept"), request.headers.get("User-Agent"))
    order = parse_order(request.query)
    headers: HeaderPairs
    form: Format
    if wanted == "html":
        headers, form = HTML_HEADERS, HtmlFormat(path, order.by, order.descending, may_upload, base)
    elif wanted == "json":
        headers, form = JSON, JsonFormat(unquote(request.prefix) + path)
    else:
        headers, form = UTF8_TEXT, TextFormat()
    chunks = ListingChunks(batches, order, form, budget or EntryBudget())
    return Response(200, chunks, (*headers, ("Vary", vary), *COMMON), COMPRESS_MIN_SIZE)


def _without_controls(name: str) -> str:
    """Percent-encode line breaks, other control characters, and characters that change the text direction."""
    return _find_controls.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)

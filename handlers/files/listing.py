"""Directory listings: the entries of a directory, in order, as HTML, JSON or plain text.

1. Accept selects the format (RFC 9110, 12.5.1): HTML and JSON for clients that name them, otherwise text.
2. Each batch of entries is sorted as it is read, so that no step has all of them to sort.
3. The sorted batches are merged while they are written, some rows a step. Entries in memory cost as long
   as a slow client takes: one listing holds at most ``MAX_SORTED``, all together ``MAX_HELD``. Entries
   beyond that follow as they are read, sorted within each batch alone.
4. Directories come first, then names in natural order: "file 9" before "file 10".

The content is an iterator, one step a turn of the loop; the first steps yield nothing but the beginning.
It opens no file, and knows no route.
"""

import heapq
import json
import re
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from reactor.http11.accept import preferred, read_weights
from reactor.http11.message import UTF8_TEXT, Fields, Request, Response

from .directory import Entry
from .listing_html import HTML_HEADERS, HtmlFormat

ROWS = 128  # written in one step
MAX_SORTED = 10_000  # entries; about half a kilobyte each while they are held
MAX_HELD = 200_000  # entries, by all listings of one server
COMPRESS_MIN_SIZE = 256
COMMON = (
    ("Vary", "Accept"),
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    # Not "no-referrer", with which a browser hides the origin of the page's own form from us, too.
    ("Referrer-Policy", "same-origin"),
)
JSON = (("Content-Type", "application/json"),)

# What an entry is sorted by, with the entry at its end.
Row = tuple[bool, object, list[object], str, Entry]

_split_numbers = re.compile(r"([0-9]+)").split
_find_controls = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Batches(Protocol):
    """Where entries come from: an iterator that can be closed."""

    def __iter__(self) -> Iterator[list[Entry]]:
        """Return the iterator."""

    def close(self) -> None:
        """Close the directory."""


class Format(Protocol):
    """A format of listings: what comes before the rows, the rows, and what comes after them."""

    def begin(self) -> str:
        """Write what comes first."""

    def rows(self, entries: list[Entry]) -> str:
        """Write some entries; called again and again, in order."""

    def end(self) -> str:
        """Write what comes last."""


class Order(NamedTuple):
    """What a listing is sorted by: "name", "size" or "time"; and whether from the greatest on."""

    by: str = "name"
    descending: bool = False

    def row(self, entry: Entry) -> Row:
        """Return an entry with what it is sorted by: directories are first in both directions."""
        first = entry.is_directory is self.descending
        return first, _SORT_KEYS[self.by](entry), natural_key(entry.name), entry.name, entry


_SORT_KEYS: dict[str, Callable[[Entry], int]] = {
    "name": lambda entry: 0,
    "size": lambda entry: entry.size,
    "time": lambda entry: entry.modified,
}


def natural_key(name: str) -> list[object]:
    """Return a key that sorts names without regard to case, and numbers in them by their value.

    >>> sorted(["b2", "B10", "a"], key=natural_key)
    ['a', 'b2', 'B10']
    """
    parts = _split_numbers(name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def parse_order(query: str) -> Order:
    """Read the order from a query; the default, also for what is not understood, is by name."""
    fields = parse_qs(query, max_num_fields=8) if query and query.count("&") < 8 else {}
    by = fields.get("sort", ["name"])[-1]
    return Order(by if by in _SORT_KEYS else "name", fields.get("order", [""])[-1] == "desc")


def preferred_format(accept: str | None) -> str:
    """Return "html", "json" or "text", as an Accept field prefers it.

    >>> preferred_format("text/html, */*;q=0.8"), preferred_format("*/*"), preferred_format(None)
    ('html', 'text', 'text')
    """
    weights: dict[str, float] = {}
    for name, weight in read_weights(accept or ""):
        weights.setdefault(name, weight)
    anything = weights.get("text/*", weights.get("*/*", 0.0))
    offers = {
        "html": max(weights.get("text/html", 0.0), weights.get("application/xhtml+xml", 0.0)),
        "json": weights.get("application/json", 0.0),
        "text": weights.get("text/plain", anything),
    }
    return preferred(offers, "text")


class TextFormat:
    """One name a line, a directory's with a slash at its end; control characters percent-encoded."""

    def begin(self) -> str:
        """Write nothing."""
        return ""

    def rows(self, entries: list[Entry]) -> str:
        """Write a line each."""
        return "".join(f"{_without_controls(each.name)}{'/' * each.is_directory}\n" for each in entries)

    def end(self) -> str:
        """Write nothing."""
        return ""


class JsonFormat:
    """An object with the path, and an array of entries; the size of a directory is null."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._separator = "\n"

    def begin(self) -> str:
        """Open the object and its array."""
        return f'{{"path": {json.dumps(self._path)}, "entries": ['

    def rows(self, entries: list[Entry]) -> str:
        """Write an object each, separated."""
        rows = ",\n".join(map(self._row, entries))
        separator, self._separator = self._separator, ",\n"
        return separator + rows

    def end(self) -> str:
        """Close what is open."""
        return "\n]}\n"

    @staticmethod
    def _row(entry: Entry) -> str:
        kind, size = ("directory", "null") if entry.is_directory else ("file", entry.size)
        fields = f'"type": "{kind}", "size": {size}, "modified": "{entry.timestamp}"'
        return f'{{"name": {json.dumps(entry.name)}, {fields}}}'


class EntryBudget:
    """Counts the entries that all listings of one server hold in memory."""

    def __init__(self) -> None:
        self.used = 0


class ListingChunks:
    """The chunks of a listing, made one at a time; closing it closes the directory, begun or not."""

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
    """Yield the octets of a listing, b"" while entries are being read."""
    yield form.begin().encode()
    unread = iter(batches)
    held = 0
    runs = []
    try:
        while held < MAX_SORTED and budget.used < MAX_HELD and (batch := next(unread, None)) is not None:
            # The last comes first: it is taken from the end.
            runs.append(sorted(map(order.row, batch), reverse=not order.descending))
            held += len(batch)
            budget.used += len(batch)
            yield b""
        merged = (row[-1] for row in heapq.merge(*map(_drain, runs), reverse=order.descending))
        while rows := list(islice(merged, ROWS)):
            yield form.rows(rows).encode()
    finally:
        budget.used -= held
    for batch in unread:
        rows = [row[-1] for row in sorted(map(order.row, batch), reverse=order.descending)]
        yield form.rows(rows).encode() if rows else b""
    yield form.end().encode()


def _drain(run: list[Row]) -> Iterator[Row]:
    """Yield rows from the end and free each: to free all at once would be a long step."""
    while run:
        yield run.pop()


def list_directory(
    request: Request, path: str, batches: Batches, may_upload: bool, budget: EntryBudget | None = None
) -> Response:
    """List a directory; ``path`` names it as people read it, and begins and ends with a slash."""
    wanted = preferred_format(request.headers.get("Accept"))
    order = parse_order(request.query)
    headers: Fields
    form: Format
    if wanted == "html":
        headers, form = HTML_HEADERS, HtmlFormat(path, order.by, order.descending, may_upload)
    elif wanted == "json":
        headers, form = JSON, JsonFormat(path)
    else:
        headers, form = UTF8_TEXT, TextFormat()
    chunks = ListingChunks(batches, order, form, budget or EntryBudget())
    return Response(200, chunks, (*headers, *COMMON), COMPRESS_MIN_SIZE)


def _without_controls(name: str) -> str:
    """Percent-encode what would end a line, or control a terminal."""
    return _find_controls.sub(lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), name)

"""A listing: the entries of a directory, in order, as HTML, JSON or plain text.

1. Accept says which format (RFC 9110, 12.5.1): HTML and JSON for who names them, text for all others.
2. Each batch of entries is sorted as it comes, so that no step has all of them to sort.
3. The sorted batches are merged while they are written, some rows a step. Entries that are held cost
   memory for as long as a slow client likes: one listing holds at most ``MOST_SORTED``, all together
   ``MOST_HELD``. What is beyond follows as it is read, sorted within each batch alone.
4. Directories come first, then names as people count: "file 9" before "file 10".

The content is an iterator, one step a turn of the loop; the first steps yield nothing but the head.
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
from .listing_html import HTML_HEADERS, Page

ROWS = 128  # written in one step
MOST_SORTED = 10_000  # entries; about half a kilobyte each while they are held
MOST_HELD = 200_000  # entries, by all listings of one server
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
        """Let go of what is read."""


class Format(Protocol):
    """How a listing is written: what comes before the rows, some rows, and what comes behind them."""

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
        return first, _MEASURES[self.by](entry), natural(entry.name), entry.name, entry


_MEASURES: dict[str, Callable[[Entry], int]] = {
    "name": lambda entry: 0,
    "size": lambda entry: entry.size,
    "time": lambda entry: entry.modified,
}


def natural(name: str) -> list[object]:
    """Return what makes names sort without regard to case, and numbers in them by their value.

    >>> sorted(["b2", "B10", "a"], key=natural)
    ['a', 'b2', 'B10']
    """
    parts = _split_numbers(name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def order_of(query: str) -> Order:
    """Read the order that a query asks for; what is not understood is the order by name."""
    fields = parse_qs(query, max_num_fields=8) if query and query.count("&") < 8 else {}
    by = fields.get("sort", ["name"])[-1]
    return Order(by if by in _MEASURES else "name", fields.get("order", [""])[-1] == "desc")


def preferred_format(accept: str | None) -> str:
    """Return "html", "json" or "text", as an Accept field prefers it.

    >>> preferred_format("text/html, */*;q=0.8"), preferred_format("*/*"), preferred_format(None)
    ('html', 'text', 'text')
    """
    weights = read_weights(accept or "")
    anything = weights.get("text/*", weights.get("*/*", 0.0))
    offers = {
        "html": max(weights.get("text/html", 0.0), weights.get("application/xhtml+xml", 0.0)),
        "json": weights.get("application/json", 0.0),
        "text": weights.get("text/plain", anything),
    }
    return preferred(offers, "text")


class Text:
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


class Json:
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


class Held:
    """How many entries all listings of one server hold."""

    def __init__(self) -> None:
        self.count = 0


class Slices:
    """Content that is made in steps; closing it closes what it is made of, begun or not."""

    def __init__(self, batches: Batches, order: Order, form: Format, held: Held) -> None:
        self._batches = batches
        self._steps = _write(batches, order, form, held)

    def __iter__(self) -> "Slices":
        return self

    def __next__(self) -> bytes:
        return next(self._steps)

    def close(self) -> None:
        """Let go of the directory."""
        self._steps.close()
        self._batches.close()


def _write(batches: Batches, order: Order, form: Format, held: Held) -> Generator[bytes, None, None]:
    """Yield the octets of a listing, b"" while entries are being read."""
    yield form.begin().encode()
    unread = iter(batches)
    mine = 0
    runs = []
    try:
        while mine < MOST_SORTED and held.count < MOST_HELD and (batch := next(unread, None)) is not None:
            # The last comes first: it is taken from the end.
            runs.append(sorted(map(order.row, batch), reverse=not order.descending))
            mine += len(batch)
            held.count += len(batch)
            yield b""
        merged = (row[-1] for row in heapq.merge(*map(_taken, runs), reverse=order.descending))
        while rows := list(islice(merged, ROWS)):
            yield form.rows(rows).encode()
    finally:
        held.count -= mine
    for batch in unread:
        rows = [row[-1] for row in sorted(map(order.row, batch), reverse=order.descending)]
        yield form.rows(rows).encode() if rows else b""
    yield form.end().encode()


def _taken(run: list[Row]) -> Iterator[Row]:
    """Yield rows from the end, and keep none: to let go of all at once would be a long step."""
    while run:
        yield run.pop()


def answer(
    request: Request, path: str, batches: Batches, may_upload: bool, held: Held | None = None
) -> Response:
    """List a directory; ``path`` names it as people read it, and begins and ends with a slash."""
    kind = preferred_format(request.headers.get("Accept"))
    order = order_of(request.query)
    headers: Fields
    form: Format
    if kind == "html":
        headers, form = HTML_HEADERS, Page(path, order.by, order.descending, may_upload)
    elif kind == "json":
        headers, form = JSON, Json(path)
    else:
        headers, form = UTF8_TEXT, Text()
    return Response(200, Slices(batches, order, form, held or Held()), (*headers, *COMMON), COMPRESS_MIN_SIZE)


def _without_controls(name: str) -> str:
    """Percent-encode what would end a line, or tell a terminal something."""
    return _find_controls.sub(lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), name)

"""Counts the bytes that the parser looks at: a measure of time that is the same on every machine.

The parser is fed ``Counted`` bytes instead of plain ones. What it searches, slices, joins and hashes
is counted, and the result of a slice or a join counts, too. Regular expressions are not counted:
they are linear by their grammar, and the command measures them in time (``cost.py``).
"""

from typing import Any, SupportsIndex

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings


class Tally:
    """How many bytes were searched and how many copied."""

    def __init__(self) -> None:
        self.searched = 0
        self.copied = 0


class Counted(bytes):
    """Bytes that report each operation on them to a tally."""

    tally: Tally

    def __new__(cls, data: bytes, tally: Tally) -> "Counted":
        self = super().__new__(cls, data)
        self.tally = tally
        return self

    def __hash__(self) -> int:
        self.tally.searched += len(self)
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        """Count the bytes up to what is found, or to the end of the search."""
        found = super().find(sub, start, end)
        last = len(self) if end is None else min(end, len(self))
        self.tally.searched += max((last if found < 0 else found + len(sub)) - (start or 0), 0)
        return found

    def startswith(self, prefix: Any, start: Any = 0, end: Any = None) -> bool:
        """Count the bytes of the prefix."""
        self.tally.searched += len(prefix)
        return super().startswith(prefix, start, end)

    def split(self, sep: Any = None, maxsplit: SupportsIndex = -1) -> list[bytes]:
        """Count all bytes twice: they are searched and copied."""
        self.tally.searched += len(self)
        self.tally.copied += len(self)
        return super().split(sep, maxsplit)

    def rstrip(self, data: Any = None) -> bytes:
        """Count the bytes of the result."""
        return self._copy(super().rstrip(data))

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return self._copy(found) if isinstance(found, bytes) else found

    def __add__(self, other: Any) -> bytes:
        return self._copy(super().__add__(other))

    def __radd__(self, other: bytes) -> bytes:
        return self._copy(other + bytes(self))

    def _copy(self, data: bytes) -> "Counted":
        self.tally.copied += len(data)
        return Counted(data, self.tally)


def count(data: bytes, piece: int, settings: Settings) -> Tally:
    """Deliver the bytes in pieces of this length to one parser; stop at a refusal."""
    tally = Tally()
    parser = Parser(HeadReader(settings))
    try:
        for at in range(0, len(data), piece):
            parser.feed(Counted(data[at : at + piece], tally))
            _take(parser)
    except ProtocolError:
        pass
    return tally


def _take(parser: Parser) -> None:
    while True:
        if parser.phase is Phase.CONTENT:
            data = parser.next_content()
            if parser.phase is Phase.CONTENT and not data:
                return
        elif parser.next_request() is None:
            return

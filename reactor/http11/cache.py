"""A memo: what some octets were turned into, for the next time that they come.

It is for pure functions alone, whose result depends on the octets and on nothing else, so that what it
returns is exact. It is bounded in entries and in octets; one that is full is emptied, which costs what it
costs to work out its entries once more. What comes once (an id, a cookie, a text) seldom comes again, and
is let in when it comes for the second time: so it pushes nothing out, and costs little.
"""

from typing import TypeVar

Value = TypeVar("Value")


class BytesCache(dict[bytes, Value]):
    """What some octets were read as; at most ``entries`` of at most ``longest`` octets each."""

    def __init__(self, entries: int, longest: int) -> None:
        super().__init__()
        self.entries = entries
        self.longest = longest
        self._waiting = [0] * entries  # the hash of what came once, at a place that it says itself

    def remember(self, octets: bytes, value: Value) -> None:
        """Keep a value when its octets come again, unless they are too long; empty a full memo first."""
        code = hash(octets)
        place = code % self.entries
        if self._waiting[place] != code:
            self._waiting[place] = code
        elif len(octets) <= self.longest:
            if len(self) >= self.entries:
                self.clear()
            self[octets] = value

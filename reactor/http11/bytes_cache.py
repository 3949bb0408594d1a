"""A bounded cache from raw bytes to what was parsed from them.

It is for pure functions, whose result depends on the bytes alone. It is bounded in entries and in the size of
a key. A full cache is cleared, which costs one parse of each entry. Bytes that come once (an id, a cookie, a
text) seldom come again, so a value is kept when its key comes for the second time: what is unique neither
fills the cache nor pushes anything out.
"""

from typing import TypeVar

Value = TypeVar("Value")


class BytesCache(dict[bytes, Value]):
    """A dict of at most ``max_entries`` keys of at most ``max_length`` bytes each."""

    def __init__(self, max_entries: int, max_length: int) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.max_length = max_length
        self._seen_once = [0] * max_entries  # hashes of keys, each in the slot that it decides itself

    def put(self, octets: bytes, value: Value) -> None:
        """Keep a value if its key was put before and is not too long; clear a full cache first."""
        code = hash(octets)
        slot = code % self.max_entries
        if self._seen_once[slot] != code:
            self._seen_once[slot] = code
        elif len(octets) <= self.max_length:
            if len(self) >= self.max_entries:
                self.clear()
            self[octets] = value

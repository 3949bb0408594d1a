"""A bounded cache of what was parsed, or found, for a text that clients repeat.

It is for functions whose result depends on the text alone. It is bounded in entries and in the length of a
key. A full cache is cleared, which costs computing each entry again. A text that comes once (an id, a cookie)
seldom comes again, so a value is kept when its key comes for the second time: what is unique neither fills
the cache nor pushes anything out.
"""

from typing import TypeVar

Key = TypeVar("Key", bytes, str)
Value = TypeVar("Value")


class BoundedCache(dict[Key, Value]):
    """A dict of at most ``max_entries`` keys of at most ``max_length`` bytes or characters each."""

    def __init__(self, max_entries: int, max_length: int) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.max_length = max_length
        self._seen_once = [0] * max_entries  # hashes of keys, each in the slot that it decides itself

    def put(self, key: Key, value: Value) -> None:
        """Keep a value if its key was put before and is not too long; clear a full cache first."""
        code = hash(key)
        slot = code % self.max_entries
        if self._seen_once[slot] != code:
            self._seen_once[slot] = code
        elif len(key) <= self.max_length:
            if len(self) >= self.max_entries:
                self.clear()
            self[key] = value

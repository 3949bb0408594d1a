"""A bounded cache of results computed from bytes or text that clients repeat.

It is for pure functions. It is bounded in the number of entries and the length of a key. A full cache is
cleared, and its entries are computed again. A value is stored when its key is used for the second time:
unique keys (an id, a cookie) neither fill the cache nor evict entries.
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
        self._seen_once = [0] * max_entries  # hashes of keys, each at index hash % max_entries

    def put(self, key: Key, value: Value) -> None:
        """Store a value if its key was put before and is not too long; clear a full cache first."""
        code = hash(key)
        slot = code % self.max_entries
        if self._seen_once[slot] != code:
            self._seen_once[slot] = code
        elif len(key) <= self.max_length:
            if len(self) >= self.max_entries:
                self.clear()
            self[key] = value

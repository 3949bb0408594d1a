"""Make an input as short and as plain as possible while a predicate stays true."""

from collections.abc import Callable

STEPS = 4000  # calls of the predicate, at most


def minimise(data: bytes, is_kept: Callable[[bytes], bool], steps: int = STEPS) -> bytes:
    """Take away pieces, long ones first, and then write an "a" for each byte that does not matter.

    ``is_kept`` is true for ``data``, and for what is returned.
    """
    budget = Budget(steps, is_kept)
    size = max(len(data) // 2, 1)
    while True:
        shorter = _without_pieces(data, size, budget)
        if len(shorter) == len(data) and size == 1:
            break
        size = max(size // 2, 1)
        data = shorter
        if budget.exhausted:
            break
    for i in range(len(data)):
        plainer = data[:i] + b"a" + data[i + 1 :]
        if data[i : i + 1] not in b"a\r\n: /" and budget.is_kept(plainer):
            data = plainer
    return data


class Budget:
    """A predicate that is false after too many calls."""

    def __init__(self, steps: int, is_kept: Callable[[bytes], bool]) -> None:
        self._steps = steps
        self._holds = is_kept

    @property
    def exhausted(self) -> bool:
        """True when nothing more will be tried."""
        return self._steps <= 0

    def is_kept(self, data: bytes) -> bool:
        """Call the predicate, if the budget allows it."""
        self._steps -= 1
        return self._steps >= 0 and self._holds(data)


def _without_pieces(data: bytes, size: int, budget: Budget) -> bytes:
    at = 0
    while at < len(data):
        shorter = data[:at] + data[at + size :]
        if budget.is_kept(shorter):
            data = shorter
        else:
            at += size
    return data

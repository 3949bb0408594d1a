"""Make an input as short and as plain as possible while a predicate stays true."""

from collections.abc import Callable

STEPS = 4000  # calls of the predicate, at most


def minimise(octets: bytes, holds: Callable[[bytes], bool], steps: int = STEPS) -> bytes:
    """Take away pieces, long ones first, and then write an "a" for each byte that does not matter.

    ``holds`` is true for ``octets``, and for what is returned.
    """
    budget = Budget(steps, holds)
    size = max(len(octets) // 2, 1)
    while True:
        shorter = _without_pieces(octets, size, budget)
        if len(shorter) == len(octets) and size == 1:
            break
        size = max(size // 2, 1)
        octets = shorter
        if budget.spent:
            break
    for i in range(len(octets)):
        plainer = octets[:i] + b"a" + octets[i + 1 :]
        if octets[i : i + 1] not in b"a\r\n: /" and budget.holds(plainer):
            octets = plainer
    return octets


class Budget:
    """A predicate that is false after too many calls."""

    def __init__(self, steps: int, holds: Callable[[bytes], bool]) -> None:
        self._steps = steps
        self._holds = holds

    @property
    def spent(self) -> bool:
        """True when nothing more will be tried."""
        return self._steps <= 0

    def holds(self, octets: bytes) -> bool:
        """Call the predicate, if the budget allows it."""
        self._steps -= 1
        return self._steps >= 0 and self._holds(octets)


def _without_pieces(octets: bytes, size: int, budget: Budget) -> bytes:
    at = 0
    while at < len(octets):
        shorter = octets[:at] + octets[at + size :]
        if budget.holds(shorter):
            octets = shorter
        else:
            at += size
    return octets

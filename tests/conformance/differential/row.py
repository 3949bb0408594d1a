"""One row of the table of disagreements, and the names that rows are written with."""

from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.differential.compare import Difference, DifferenceKind
from tests.conformance.differential.sketch import Sketch

BOTH = ("h11", "httptools")
H11 = ("h11",)
HTTPTOOLS = ("httptools",)


class Disagreement(NamedTuple):
    """One class of differences that are not faults of this server."""

    name: str
    oracles: tuple[str, ...]
    kind: DifferenceKind
    specification: str
    matches: Callable[[Difference, Sketch], bool]

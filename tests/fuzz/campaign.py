"""A campaign: cases of every surface in turn, all from one seed, and their findings.

Case ``i`` of a surface has its own random source, so that it can be reproduced alone. Findings of one
surface that are described in the same words are one finding with several occurrences.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.minimise import minimise
from tests.fuzz.surfaces import Surface


class Finding(NamedTuple):
    """A fault that a case has shown, with its input minimised."""

    surface: str
    seed: int
    case: int
    words: str
    data: bytes

    def __str__(self) -> str:
        return f"{self.surface}, seed {self.seed}, case {self.case}: {self.words}\n    {self.data!r}"

    def save(self, directory: Path) -> Path:
        """Write the bytes into a file of this directory; return its path."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.surface}-{hashlib.sha256(self.data).hexdigest()[:12]}.http"
        path.write_bytes(self.data)
        return path


class Campaign:
    """Runs cases; counts them by surface, and keeps the first finding of each kind."""

    def __init__(self, surfaces: Iterable[Surface], seed: int) -> None:
        self.surfaces = list(surfaces)
        self.seed = seed
        self.cases: Counter[str] = Counter()
        self.findings: dict[tuple[str, str], Finding] = {}
        self.occurrences: Counter[tuple[str, str]] = Counter()

    def run(self, count: int) -> None:
        """Run the next cases of each surface."""
        for surface in self.surfaces:
            first = self.cases[surface.name]
            for case in range(first, first + count):
                self.run_case(surface, case)
            self.cases[surface.name] += count

    def run_case(self, surface: Surface, case: int) -> None:
        """Run one case."""
        data = self.case_data(surface, case)
        words = surface.check(data)
        if words is None:
            return
        key = surface.name, words
        self.occurrences[key] += 1
        if key not in self.findings:
            shortest = minimise(data, lambda data: surface.check(data) == words)
            self.findings[key] = Finding(surface.name, self.seed, case, words, shortest)

    def case_data(self, surface: Surface, case: int) -> bytes:
        """Make the bytes of one case."""
        return surface.make(Random(f"{self.seed}/{surface.name}/{case}"))

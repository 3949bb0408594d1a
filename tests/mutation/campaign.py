"""Draw faults, plant each in a copy of the working tree, and see whether tests and simulation find it.

A fault is drawn uniformly among all faults, so that a long module has more of them than a short one: the
rates are for a mistake that is as likely in one line as in any other. The draw depends on seed and sources
alone.

*The tests find a fault* if one of the default tests fails, cannot be collected, or hangs. The tests of the
faulty module run first, then those of its folder, so that most faults are found within seconds.

*The simulation sees a fault* if in some seed it reports a failure, crashes or hangs, or if what the clients
received or the files at the end are not what they are without the fault (``Outcome.observed``). In the
first three cases it has *found* the fault.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.mutation.copy import HANG, Copy, Run
from tests.mutation.operators import Fault, faults_in, is_valid

FOLDERS = ("reactor", "handlers/files")
PYTEST = ("-m", "pytest", "-x", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider")


class Verdict(NamedTuple):
    """Whether a fault was found, and how; ``visible`` is False if it could not be."""

    found: bool
    how: str
    visible: bool = True


def read_sources(root: Path) -> dict[str, bytes]:
    """Read the modules in which faults are planted."""
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    handlers = root / "reactor" / "handlers"  # a link that some tools need
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if handlers not in path.parents
    }


def draw(sources: Mapping[str, bytes], seed: int, count: int, where: str = "") -> list[Fault]:
    """Draw faults at random, of those whose name contains ``where``; fewer if there are not as many."""
    faults = [
        fault for path, source in sources.items() for fault in faults_in(path, source) if where in str(fault)
    ]
    Random(seed).shuffle(faults)
    valid = (fault for fault in faults if is_valid(fault, sources[fault.path]))
    return [fault for fault, _ in zip(valid, range(count), strict=False)]


def nearest_tests(root: Path, path: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of pytest for a faulty module: its tests, those of its folder, then all."""
    module = Path("tests", "unit", Path(path).relative_to("reactor") if path.startswith("reactor/") else path)
    own = sorted(root.glob(f"{module.parent}/test_{module.stem}*.py"))
    if own:
        yield tuple(str(each.relative_to(root)) for each in own)
    if module.parent != Path("tests", "unit") and (root / module.parent).is_dir():
        yield ("-n", "2", str(module.parent))
    yield ("-n", "2")


class DefaultTests:
    """The default tests; ``check`` runs them without a fault."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def check(self) -> str:
        """Return "" if the tests pass without a fault, else the output."""
        run = self._copy.run(*PYTEST, "-n", "2", compile_files=True)
        return run.output if run.failure else ""

    def judge(self, fault: Fault) -> Verdict:
        """Run the tests on the faulty copy, the most likely first."""
        for arguments in nearest_tests(self._copy.tree, fault.path):
            run = self._copy.run(*PYTEST, *arguments)
            if run.failure:
                return Verdict(True, _first_failure(run))
        return Verdict(False, "")


class Simulation:
    """The seeds 1 to ``seeds`` of the simulation; ``check`` runs them without a fault."""

    def __init__(self, copy: Copy, seeds: int) -> None:
        self._copy = copy
        self._command = ("-m", "tests.mutation.simulate", str(seeds))
        self._expected = ""

    def check(self) -> str:
        """Return "" if the seeds pass without a fault, else the output."""
        run = self._copy.run(*self._command, compile_files=True)
        self._expected = run.output
        return run.output if run.failure else ""

    def judge(self, fault: Fault) -> Verdict:
        """Run the seeds on the faulty copy, until the first failure; not if it never imports the module."""
        if str(self._copy.tree / fault.path) not in self._expected:
            return Verdict(False, "", visible=False)
        run = self._copy.run(*self._command)
        if run.failure:
            return Verdict(True, _first_failure(run))
        return Verdict(False, "", visible=run.output != self._expected)


def _first_failure(run: Run) -> str:
    """Return what failed first: a test, a seed, or the hang."""
    lines = run.output.splitlines()
    named = (line for line in lines if line.startswith(("FAILED ", "ERROR ")) or " turn " in line)
    return run.failure if run.failure == HANG else next(named, lines[-1] if lines else run.failure)

"""A campaign: many cases from one seed, each read by us and by an oracle, and what they differ in.

    corpus     every request of the corpus (tests/conformance/corpus) as it is, first
    valid      well-formed streams: every disagreement is interesting
    mutated    such a stream, or a request of the corpus, with a few changes

Case ``i`` of a seed is made by its own random source, so that it can be made again alone.
"""

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from tests.conformance.differential.compare import Difference, differences
from tests.conformance.differential.disagreements import listed
from tests.conformance.differential.oracles import Oracle
from tests.conformance.differential.reading import Message, Ours
from tests.conformance.differential.translations import translate
from tests.fuzz.mutate import corpus, mutate
from tests.fuzz.valid_messages import stream


class Unlisted(NamedTuple):
    """A difference that no row of the table explains."""

    seed: int
    case: int
    data: bytes
    difference: Difference

    @property
    def key(self) -> tuple[object, ...]:
        """What findings of one cause have in common."""
        difference = self.difference
        ours, theirs = difference.our_reading, difference.their_reading
        reason = ours.reason.partition(": ")[0]  # without the client's value
        return difference.oracle, difference.kind, ours.end, reason, theirs.end

    def __str__(self) -> str:
        difference = self.difference
        kind = difference.kind.value
        lines = [f"seed {self.seed}, case {self.case}, {difference.oracle}: {kind}", f"  {self.data!r}"]
        for name, reading, message in (
            ("ours", difference.our_reading, difference.ours),
            ("theirs", difference.their_reading, difference.theirs),
        ):
            end = f"{reading.end.name} {reading.status or ''} {reading.reason}".rstrip()
            lines.append(f"  {name:6} {len(reading.messages)} messages, {end}; here {message}")
        return "\n".join(lines)


class Campaign:
    """Runs cases against some oracles; counts what is listed, and keeps what is not."""

    def __init__(self, oracles: Iterable[Oracle], seed: int) -> None:
        self.oracles = list(oracles)
        self.seed = seed
        self.cases = 0
        self.accepted = 0  # cases of which we accept every message
        self.agreed = 0  # readings that differ in words at most
        self.listed: Counter[tuple[str, str]] = Counter()  # by oracle and name of the class
        self.unlisted: dict[tuple[object, ...], Unlisted] = {}  # the first of each kind
        self.occurrences: Counter[tuple[object, ...]] = Counter()
        self._corpus = corpus()
        self._ours = Ours()

    def case_data(self, case: int) -> bytes:
        """Make one case."""
        if case < len(self._corpus):
            return self._corpus[case]
        random = Random(f"{self.seed}/{case}")
        choice = random.random()
        if choice < 0.25:
            return stream(random)
        if choice < 0.5 and self._corpus:
            return mutate(random, random.choice(self._corpus))
        return mutate(random, stream(random))

    def run(self, count: int) -> None:
        """Run the next cases."""
        for case in range(self.cases, self.cases + count):
            data = self.case_data(case)
            for difference in self.compare(data):
                finding = Unlisted(self.seed, case, data, difference)
                self.occurrences[finding.key] += 1
                self.unlisted.setdefault(finding.key, finding)
            self.cases += 1

    def compare(self, data: bytes) -> list[Difference]:
        """Read some bytes with every parser; count, and return the differences that are not listed."""
        ours = self._ours.read(data)
        self.accepted += not ours.status
        unlisted = []
        for oracle in self.oracles:
            found = list(differences(data, oracle.name, ours, oracle.read(data), self._translate))
            self.agreed += not found
            for difference in found:
                row = listed(difference)
                if row is None:
                    unlisted.append(difference)
                else:
                    self.listed[oracle.name, row.name] += 1
        return unlisted

    def _translate(self, oracle: str, ours: Message, theirs: Message) -> Message:
        translated, used = translate(oracle, ours, theirs)
        self.listed.update((oracle, name) for name in used)
        return translated

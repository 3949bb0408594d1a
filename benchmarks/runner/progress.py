"""Progress of a run: one line that is rewritten on a terminal, a line now and then anywhere else.

    [2/8 concurrency] 512 connections, round 3 of 7: nginx; 12 min, about 23 min left

How long each question takes is estimated from the configuration; the time that is left shrinks or grows
with how the questions before kept to their estimates. Time is a function that is given.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from benchmarks.attack.scenarios import SCENARIOS
from benchmarks.results.units import duration
from benchmarks.runner import interleaved
from benchmarks.runner.config import QUICK_SECONDS, Config
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import COMPRESSED, DOWNLOADED, SMALL, UPLOADED, WATCHED, Workload

LINE_INTERVAL = 5.0  # seconds between two lines, where they are not rewritten
START = "\r\x1b[K"  # go to the start of the line, and clear it

OVERHEAD = 0.25  # seconds, beside the measuring
ATTACK_SECONDS, QUICK_ATTACK_SECONDS = 14.0, 2.0
# Rounds of questions in which a few peers take part, at several places.
MEASUREMENTS = {"concurrency": 6 * 5 + 2, "latency": (2 + 3) * 3, "idle": 4 * 5, "fairness": 4 * 3 - 2}


def estimate_seconds(config: Config) -> dict[str, float]:
    """Return about how many seconds each question takes."""
    peers = [each for name, each in PEERS.items() if config.wants_peer(name) and each.missing() is None]
    counts = dict(MEASUREMENTS)
    comparisons: dict[str, Sequence[Workload]] = {
        "throughput": SMALL,
        "files": (*DOWNLOADED, *UPLOADED),
        "compression": COMPRESSED,
        "watching": (WATCHED,),
    }
    for name, workloads in comparisons.items():
        wanted = [each for each in workloads if config.wants_workload(each.name)]
        counts[name] = sum(each.needs in peer.serves for each in wanted for peer in peers)
    rounds, seconds = (1, QUICK_SECONDS) if config.quick else (config.rounds, config.seconds)
    attacks = len(SCENARIOS) * (QUICK_ATTACK_SECONDS if config.quick else ATTACK_SECONDS)
    warm_up = min(seconds, interleaved.WARM_UP)
    each = rounds * (seconds + OVERHEAD) + warm_up + OVERHEAD
    estimate = {name: number * each for name, number in counts.items()}
    return {**estimate, "attack": attacks}


class Progress:
    """Tells a person on a terminal, or in a log, what is going on."""

    def __init__(
        self,
        out: TextIO,
        questions: Sequence[str],
        estimate: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out, self._clock, self._terminal = out, clock, out.isatty()
        self._questions, self._estimate = list(questions), estimate
        self._began = self._question_began = clock()
        self._last_line = float("-inf")
        self._question = ""
        self._pace = 1.0  # how long questions took, as a share of their estimates

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left, about."""
        later = self._questions[self._questions.index(self._question) + 1 :] if self._question else []
        now = self._estimated(self._question) - (self._clock() - self._question_began)
        return max(0.0, now) + sum(map(self._estimated, later))

    def begin(self, question: str) -> None:
        """Begin with a question."""
        self._question, self._question_began = question, self._clock()
        self._last_line = float("-inf")
        self.show("begins")

    def show(self, text: str) -> None:
        """Tell what is done now."""
        if not self._terminal and self._clock() - self._last_line < LINE_INTERVAL:
            return
        self._last_line = self._clock()
        place = f"{self._questions.index(self._question) + 1}/{len(self._questions)} {self._question}"
        left = f", about {duration(self.left)} left" if self.left >= 1 else ""
        times = f"; {duration(self.elapsed)}{left}"
        if self._terminal:
            room = shutil.get_terminal_size().columns - len(f"[{place}] {times}") - 1
            self._out.write(f"{START}[{place}] {text[: max(0, room)]}{times}")
        else:
            self._out.write(f"[{place}] {text}{times}\n")
        self._out.flush()

    def end(self) -> None:
        """End a question; from how long it took, estimate the others anew."""
        took, meant = self._clock() - self._question_began, self._estimate.get(self._question, 0.0)
        if meant:
            self._pace = (self._pace + took / meant) / 2
        self.clear()

    def clear(self) -> None:
        """Make room for something else."""
        if self._terminal:
            self._out.write(START)
            self._out.flush()

    def _estimated(self, question: str) -> float:
        return self._estimate.get(question, 0.0) * self._pace

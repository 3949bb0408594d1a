"""Progress of a run: one line, rewritten on a terminal, and printed every few seconds elsewhere.

    [2/8 concurrency] 512 connections, round 3 of 7: nginx; 12 min, about 23 min left

The duration of each question is estimated from the configuration, and corrected by how long the previous
questions took.
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

LINE_INTERVAL = 5.0  # seconds between two lines that are not rewritten
START = "\r\x1b[K"  # go to the start of the line, and clear it

OVERHEAD = 0.25  # seconds per measurement, in addition to its duration
ATTACK_SECONDS, QUICK_ATTACK_SECONDS = 14.0, 2.0
# Measurements per round of the questions with few peers.
MEASUREMENTS = {"concurrency": 6 * 5 + 2, "latency": (2 + 3) * 3, "idle": 4 * 5, "fairness": 4 * 3 - 2}


def estimate_seconds(config: Config) -> dict[str, float]:
    """Return the estimated duration of each question, in seconds."""
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
    """Prints the current step, the elapsed time and the estimated time left."""

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
        self._pace = 1.0  # measured / estimated duration

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Estimated seconds left."""
        later = self._questions[self._questions.index(self._question) + 1 :] if self._question else []
        now = self._estimated(self._question) - (self._clock() - self._question_began)
        return max(0.0, now) + sum(map(self._estimated, later))

    def begin(self, question: str) -> None:
        """Start a question."""
        self._question, self._question_began = question, self._clock()
        self._last_line = float("-inf")
        self.show("starting")

    def show(self, text: str) -> None:
        """Show the current step."""
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
        """End a question; correct the estimates of the others by its duration."""
        took, meant = self._clock() - self._question_began, self._estimate.get(self._question, 0.0)
        if meant:
            self._pace = (self._pace + took / meant) / 2
        self.clear()

    def clear(self) -> None:
        """Clear the line for other output."""
        if self._terminal:
            self._out.write(START)
            self._out.flush()

    def _estimated(self, question: str) -> float:
        return self._estimate.get(question, 0.0) * self._pace

"""Progress of a run: one line, rewritten on a terminal, and printed every few seconds elsewhere.

    [2/8 concurrency] 512 connections, round 3 of 7: nginx; 12 min, about 23 min left

The duration of each question is estimated from the configuration, and corrected by how long the previous
questions took.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from benchmarks.results.units import duration

LINE_INTERVAL = 5.0  # seconds between two lines that are not rewritten
START = "\r\x1b[K"  # go to the start of the line, and clear it


class Progress:
    """Prints the current step, the elapsed time and the estimated time left.

    ``estimates`` are the estimated seconds of each question, in the order of measuring.
    """

    def __init__(
        self, out: TextIO, estimates: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out, self._estimates, self._clock = out, estimates, clock
        self._terminal = out.isatty()
        self._began = self._question_began = clock()
        self._last_line = float("-inf")
        self._number = 0  # of the current question, from 1
        self._pace = 1.0  # measured / estimated duration

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Estimated seconds left."""
        now, *later = (seconds * self._pace for seconds in list(self._estimates.values())[self._number - 1 :])
        return max(0.0, now - (self._clock() - self._question_began)) + sum(later)

    def begin(self, question: str) -> None:
        """Start a question."""
        self._number = list(self._estimates).index(question) + 1
        self._question_began, self._last_line = self._clock(), float("-inf")
        self.show("starting")

    def show(self, text: str) -> None:
        """Show the current step."""
        if not self._terminal and self._clock() - self._last_line < LINE_INTERVAL:
            return
        self._last_line = self._clock()
        question = list(self._estimates)[self._number - 1]
        place = f"[{self._number}/{len(self._estimates)} {question}] "
        left = f", about {duration(self.left)} left" if self.left >= 1 else ""
        times = f"; {duration(self.elapsed)}{left}"
        if self._terminal:
            room = shutil.get_terminal_size().columns - len(place + times) - 1
            self._out.write(f"{START}{place}{text[: max(0, room)]}{times}")
        else:
            self._out.write(f"{place}{text}{times}\n")
        self._out.flush()

    def end(self) -> None:
        """End a question, and clear the line; correct the estimates of the others by its duration."""
        estimate = list(self._estimates.values())[self._number - 1]
        if estimate:
            self._pace = (self._pace + (self._clock() - self._question_began) / estimate) / 2
        if self._terminal:
            self._out.write(START)
            self._out.flush()

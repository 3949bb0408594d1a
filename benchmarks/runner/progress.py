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
        self._out, self._clock, self._terminal = out, clock, out.isatty()
        self._questions, self._estimates = list(estimates), list(estimates.values())
        self._at = 0  # index of the current question
        self._began = self._question_began = clock()
        self._last_line = float("-inf")
        self._pace = 1.0  # measured / estimated duration

    def left(self) -> float:
        """Return the estimated seconds left."""
        now, *later = (self._pace * seconds for seconds in self._estimates[self._at :])
        return max(0.0, now - (self._clock() - self._question_began)) + sum(later)

    def begin(self, question: str) -> None:
        """Start a question."""
        self._at, self._question_began = self._questions.index(question), self._clock()
        self._last_line = float("-inf")
        self.show("starting")

    def show(self, text: str) -> None:
        """Show the current step."""
        now = self._clock()
        if not self._terminal and now - self._last_line < LINE_INTERVAL:
            return
        self._last_line = now
        place = f"[{self._at + 1}/{len(self._questions)} {self._questions[self._at]}] "
        left = f", about {duration(self.left())} left" if self.left() >= 1 else ""
        times = f"; {duration(now - self._began)}{left}"
        if self._terminal:
            room = shutil.get_terminal_size().columns - len(place + times) - 1
            self._out.write(f"{START}{place}{text[: max(0, room)]}{times}")
        else:
            self._out.write(f"{place}{text}{times}\n")
        self._out.flush()

    def end(self) -> None:
        """End a question: clear the line, and correct the estimates of the others by its duration."""
        if estimate := self._estimates[self._at]:
            self._pace = (self._pace + (self._clock() - self._question_began) / estimate) / 2
        if self._terminal:
            self._out.write(START)
            self._out.flush()

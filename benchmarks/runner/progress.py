"""Progress of a run: one line, rewritten on a terminal, and printed every few seconds elsewhere.

For example: [2/9 concurrency] 512 connections, round 3 of 7: nginx; 12 min
"""

import shutil
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import TextIO

from benchmarks.results.units import duration

LINE_INTERVAL = 5.0  # seconds between two lines that are not rewritten
START = "\r\x1b[K"  # go to the start of the line, and clear it


class Progress:
    """Prints the current question, its current step, and the elapsed time."""

    def __init__(
        self, out: TextIO, questions: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out, self._clock, self._terminal = out, clock, out.isatty()
        self._questions, self._question = questions, ""
        self._began, self._last_line = clock(), -inf

    def begin(self, question: str) -> None:
        """Start a question."""
        number = self._questions.index(question) + 1
        self._question, self._last_line = f"[{number}/{len(self._questions)} {question}] ", -inf
        self.show("starting")

    def show(self, step: str) -> None:
        """Show the current step."""
        now = self._clock()
        line = f"{self._question}{step}; {duration(now - self._began)}"
        if self._terminal:
            room = shutil.get_terminal_size().columns - 1
            print(f"{START}{line[:room]}", end="", file=self._out, flush=True)
        elif now - self._last_line >= LINE_INTERVAL:
            self._last_line = now
            print(line, file=self._out, flush=True)

    def end(self) -> None:
        """End a question: clear the line."""
        if self._terminal:
            print(START, end="", file=self._out, flush=True)

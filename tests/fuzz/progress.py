"""The progress of a long run: one line that changes on a terminal, a line now and then elsewhere."""

import sys
import time

QUIET = 30.0  # seconds between two lines that do not go to a terminal


class Progress:
    """Measures a run that lasts ``limit`` seconds, and shows how far it is."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._started = time.monotonic()
        self._shown = self._started
        self._every = 0.2 if sys.stderr.isatty() else QUIET

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._started

    @property
    def running(self) -> bool:
        """False when the time is over."""
        return self.seconds < self.limit

    def show(self, text: str) -> None:
        """Show a state, unless the last one was shown just now."""
        if time.monotonic() - self._shown >= self._every:
            self._shown = time.monotonic()
            line = f"{self.seconds:5.0f} of {self.limit:.0f} s: {text}"
            print(f"\r{line}\033[K" if sys.stderr.isatty() else line, end="", file=sys.stderr)
            print(end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

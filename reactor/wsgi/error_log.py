"""The stream ``wsgi.errors``: each line that an application writes becomes a line of the log."""

import logging
from collections.abc import Iterable

from reactor.settings import KIB

log = logging.getLogger("reactor")

MAX_LINE = 8 * KIB  # characters; a longer line is split


class ErrorLog:
    """A text stream without a file; an incomplete line is logged by ``end``."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        self._line = ""

    def write(self, text: str) -> int:
        """Log the lines that are complete."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            _log(line)
        if len(self._line) > MAX_LINE:
            self.end()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: complete lines are logged at once."""

    def end(self) -> None:
        """Log the incomplete line, if any."""
        if self._line:
            _log(self._line)
            self._line = ""


def _log(line: str) -> None:
    for begin in range(0, len(line) or 1, MAX_LINE):
        log.warning("application: %s", line[begin : begin + MAX_LINE])

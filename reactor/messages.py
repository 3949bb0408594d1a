"""Messages: what the log says goes to standard error, and waits for nobody to read it."""

import logging
import sys

from reactor.line_writer import write_lines


class MessageHandler(logging.Handler):
    """Writes messages to standard error, and waits for nobody to read them."""

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message, and before it how many were dropped."""
        if sys.stderr is None:
            return
        lines = [f"{self.format(record)}\n"]
        if self._dropped:
            lines.insert(0, f"reactor: {self._dropped} messages were dropped: nobody read them\n")
        try:
            dropped = write_lines(sys.stderr, lines)
        except (OSError, ValueError):
            return  # nobody will ever read it, which stops nobody from being served
        self._dropped = self._dropped + 1 if dropped else 0

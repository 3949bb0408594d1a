"""The access log: one line per request, written when its response is complete or has failed.

    combined   127.0.0.1 - - [22/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 - "-" "curl/8" 93 c1#1
    json       the same values as a JSON object, with the time in ISO 8601

"combined" is Apache's combined format, followed by the duration in microseconds, the connection and the
number of the request on it. Text from the client is escaped, so that a client cannot forge log lines.
Authorization is never logged. The lines of a turn are written to a text stream with one call.
"""

import json
import logging
import re
import time
from collections.abc import Callable
from math import inf
from typing import Protocol, TextIO

from reactor.http11.message import Request
from reactor.logs.nonblocking import LineWriter

log = logging.getLogger("reactor")

FORMATS = ("combined", "json")
REPORT_INTERVAL = 10.0  # minimum seconds between two reports of dropped lines
MAX_TEXT_SIZE = 900


def shorten(text: str, write: Callable[[str], str], expansion: int) -> str:
    """Shorten a client's text that takes more than MAX_TEXT_SIZE bytes after ``write``.

    Three of them and the rest of the line then fit into PIPE_BUF. ``expansion`` is the maximum number of
    bytes per character.
    """
    if len(text) * expansion <= MAX_TEXT_SIZE or len(write(text).encode("utf-8", "replace")) <= MAX_TEXT_SIZE:
        return text
    return text[: MAX_TEXT_SIZE // expansion] + "..."


class Exchange:
    """A request and its response, which is being sent.

    ``began`` is a time of the reactor's clock. ``body_offset`` and ``end_offset`` are numbers of bytes sent
    on the connection: before the body of this response, and up to its end (None if not yet known).
    """

    __slots__ = ("began", "body_offset", "end_offset", "number", "request", "status")

    def __init__(self, request: Request, status: int, number: int, began: float, body_offset: int) -> None:
        self.request = request
        self.status = status
        self.number = number
        self.began = began
        self.body_offset = body_offset
        self.end_offset: int | None = None


_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\ud800-\udfff]')


def escape_controls(text: str) -> str:
    r"""Escape quotes, backslashes and control characters.

    >>> print(escape_controls('a"b' + chr(10)))
    a\x22b\x0a
    """
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _client_texts(request: Request) -> tuple[str, str]:
    """Format the request line, and Referer and User-Agent, for a combined line."""
    line, referer, agent = (
        escape_controls(shorten(text or "-", escape_controls, 4))
        for text in (
            f"{request.method} {request.target} {request.version}" if request.path else "",
            request.headers.get("referer", ""),
            request.headers.get("user-agent", ""),
        )
    )
    return f'"{line}"', f'"{referer}" "{agent}"'


class Recorder(Protocol):
    """Records finished exchanges: the access log, or an instrumented connection."""

    def record(self, unsent: "UnsentExchanges", exchange: Exchange, sent: int) -> None:
        """Record an exchange; ``sent`` is the number of bytes the connection had sent at its end."""


class UnsentExchanges:
    """The exchanges of one connection whose responses are not completely sent."""

    __slots__ = ("_exchanges", "_log", "number")

    def __init__(self, log: Recorder, number: int) -> None:
        self._log = log
        self._exchanges: list[Exchange] = []
        self.number = number

    def begin(self, exchange: Exchange, start_offset: int) -> None:
        """Add an exchange whose response begins at ``start_offset``."""
        if self._exchanges:
            self.end(start_offset)
        self._exchanges.append(exchange)

    def end(self, end_offset: int) -> None:
        """Set the end of the last response, which is now buffered completely."""
        if self._exchanges:
            last = self._exchanges[-1]
            if last.end_offset is None:
                last.end_offset = end_offset

    def log_sent(self, sent: int, everything: bool) -> None:
        """Log the exchanges that are complete after the connection has sent ``sent`` bytes."""
        if everything:
            self.end(sent)
        exchanges = self._exchanges
        while exchanges:
            first = exchanges[0]
            if first.end_offset is None or first.end_offset > sent:
                break
            self._log.record(self, first, first.end_offset)
            del exchanges[0]

    def log_aborted(self, sent: int, status: int) -> None:
        """Log the exchanges that were aborted, with this status."""
        for exchange in self._exchanges:
            exchange.status = status
            self._log.record(self, exchange, sent)
        self._exchanges.clear()


# Formats a line, given the time, the connection, the exchange, the bytes of the body and the microseconds.
WriteLine = Callable[[str, UnsentExchanges, Exchange, int, int], str]


class AccessLog:
    """Collects the lines of a turn, and writes them with one call.

    ``clock`` is the reactor's clock, ``wall_clock`` returns seconds since the epoch.
    """

    def __init__(
        self,
        stream: TextIO,
        layout: str = "combined",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = LineWriter(stream)
        # No bound methods: they would form a reference cycle, and delay closing the file descriptor.
        layouts: dict[str, tuple[WriteLine, str]] = {
            "combined": (self._combined, "%d/%b/%Y:%H:%M:%S +0000"),
            "json": (self._json, "%Y-%m-%dT%H:%M:%SZ"),
        }
        self._write_line, self._time_format = layouts[layout]
        self._clock = clock
        self._wall_clock = wall_clock
        self._entries: list[tuple[UnsentExchanges, Exchange, int, int]] = []  # of this turn
        self._dropped = 0  # lines since the last report
        self._failing = False  # an error was logged; reset by the next report of dropped lines
        self._quiet_until = -inf  # a time of the reactor's clock
        self._cached_time = (-1, "")

    def record(self, unsent: UnsentExchanges, exchange: Exchange, sent: int) -> None:
        """Log an exchange; ``sent`` is the number of bytes the connection had sent at its end."""
        body_bytes = sent - exchange.body_offset
        microseconds = (self._clock() - exchange.began) * 1e6
        self._entries.append((unsent, exchange, body_bytes if body_bytes > 0 else 0, int(microseconds + 0.5)))

    def flush(self) -> None:
        """Write the lines of this turn without blocking; drop and count those that do not fit."""
        if not self._entries:
            return
        when = self._time()
        lines = [self._write_line(when, *entry) for entry in self._entries]
        self._entries.clear()
        dropped = self._writer.write(lines)
        if dropped or self._dropped:
            self._count(dropped, dropped < len(lines))

    def close(self) -> None:
        """Write pending lines, report dropped lines, and close the log's file descriptor."""
        self.flush()
        if self._dropped:
            self._report_dropped()
        self._writer.close()

    def _count(self, dropped: int, working: bool) -> None:
        """Count dropped lines; report an error when it begins, and the count when the log works again."""
        if working and self._dropped and self._clock() >= self._quiet_until:
            self._report_dropped()
        elif self._writer.failed and not self._failing:
            self._failing = True
            log.error("cannot write the access log: %s", self._writer.reason)
        self._dropped += dropped

    def _report_dropped(self) -> None:
        log.warning("dropped %d access log lines (%s)", self._dropped, self._writer.reason)
        self._dropped = 0
        self._failing = False
        self._quiet_until = self._clock() + REPORT_INTERVAL

    @staticmethod
    def _combined(
        when: str, unsent: UnsentExchanges, exchange: Exchange, body_bytes: int, duration: int
    ) -> str:
        request = exchange.request
        texts = request.target.cached_texts
        if texts is None:
            texts = request.target.cached_texts = _client_texts(request)
        line, origin = texts
        return (
            f"{request.peer} - - [{when}] {line} {exchange.status} {body_bytes or '-'} "
            f"{origin} {duration} c{unsent.number}#{exchange.number}\n"
        )

    @staticmethod
    def _json(when: str, unsent: UnsentExchanges, exchange: Exchange, body_bytes: int, duration: int) -> str:
        request = exchange.request
        is_parsed = bool(request.target.path)
        entry = {
            "time": when,
            "peer": request.peer,
            "method": shorten(request.method, json.dumps, 6) if is_parsed else None,
            "target": shorten(str(request.target), json.dumps, 6) if is_parsed else None,
            "version": request.version if is_parsed else None,
            "status": exchange.status,
            "body_bytes": body_bytes,
            "referer": shorten(request.headers.get("referer", ""), json.dumps, 6) or None,
            "user_agent": shorten(request.headers.get("user-agent", ""), json.dumps, 6) or None,
            "duration_us": duration,
            "connection": unsent.number,
            "request": exchange.number,
        }
        return json.dumps(entry) + "\n"

    def _time(self) -> str:
        """Return the time in UTC, formatted for the log; cached for a second."""
        second = int(self._wall_clock())
        if second != self._cached_time[0]:
            self._cached_time = (second, time.strftime(self._time_format, time.gmtime(second)))
        return self._cached_time[1]

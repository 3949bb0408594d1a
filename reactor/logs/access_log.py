"""The access log: one line per request, after its last byte or its failure; one write per turn.

    combined   127.0.0.1 - - [22/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 - "-" "curl/8" 93 c1#1
    json       the same as an object, with names, and the time by ISO 8601

The first is Apache's combined format, then the duration in microseconds and which request on which
connection it was. What came from the client is escaped, so that nobody can forge a line.
Authorization is never logged. The log knows no socket: lines go to a stream that it is given.
"""

import json
import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache, partial
from math import inf
from typing import Protocol, TextIO

from reactor.http11.message import Head, Request
from reactor.http11.target import Target
from reactor.logs.nonblocking import LineWriter

log = logging.getLogger("reactor")

FORMATS = ("combined", "json")
REPORT_INTERVAL = 10.0  # seconds between two reports of dropped lines, at least
MAX_TEXT_SIZE = 900


def shorten(text: str, write: Callable[[str], str], expansion: int) -> str:
    """Cut a client's text that, written, would take more than MAX_TEXT_SIZE octets.

    Three of them and the rest of a line then fit what a pipe takes at once. ``expansion`` is how many
    octets a character may take.
    """
    if len(text) * expansion <= MAX_TEXT_SIZE or len(write(text).encode("utf-8", "replace")) <= MAX_TEXT_SIZE:
        return text
    return text[: MAX_TEXT_SIZE // expansion] + "..."


class Exchange:
    """A request and its response on the way out.

    ``began`` is in seconds of the reactor's clock; ``body_offset`` and ``end_offset`` are how many octets
    the connection sends before this response's content, and up to its end, None when not yet known.
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
    r"""Escape quotes, backslashes and controls.

    >>> print(escape_controls('a"b' + chr(10)))
    a\x22b\x0a
    """
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


# The parts of a combined line that a method, a target and a head determine.
ClientTexts = Callable[[str, Target, Head], tuple[str, str]]


def _client_texts(method: str, target: Target, head: Head) -> tuple[str, str]:
    """Write what a combined line says of a request: its line, and where it comes from."""
    line, referer, agent = (
        escape_controls(shorten(text or "-", escape_controls, 4))
        for text in (
            f"{method} {target} HTTP/1.{head.version}" if target.path else "",
            head.headers.get("referer", ""),
            head.headers.get("user-agent", ""),
        )
    )
    return f'"{line}"', f'"{referer}" "{agent}"'


class Recorder(Protocol):
    """Takes each exchange that has ended: the access log, or an instrumented connection before it."""

    def record(self, pending: "PendingEntries", exchange: Exchange, sent: int) -> None:
        """Take note of an exchange; ``sent`` is how many octets the connection has sent up to its end."""


class PendingEntries:
    """The exchanges of one connection that wait for their last octet to be sent."""

    __slots__ = ("_exchanges", "_log", "number", "peer")

    def __init__(self, log: Recorder, peer: str, number: int) -> None:
        self._log = log
        self._exchanges: list[Exchange] = []
        self.peer = peer
        self.number = number

    def begin(self, exchange: Exchange, start_offset: int) -> None:
        """Note an exchange whose response is queued after ``start_offset`` octets of others."""
        if self._exchanges:
            self.end(start_offset)
        self._exchanges.append(exchange)

    def end(self, end_offset: int) -> None:
        """Note where the last response ends, now that it is queued whole."""
        if self._exchanges:
            last = self._exchanges[-1]
            if last.end_offset is None:
                last.end_offset = end_offset

    def log_sent(self, sent: int, everything: bool) -> None:
        """Log the exchanges that are sent, now that the connection has sent so many octets."""
        if everything:
            self.end(sent)
        exchanges = self._exchanges
        while exchanges:
            first = exchanges[0]
            if first.end_offset is None or first.end_offset > sent:
                break
            self._log.record(self, first, first.end_offset)
            del exchanges[0]

    def log_aborted(self, sent: int, status: int | None = None) -> None:
        """Log what will not be sent to its end, with a status that says so, or with the one it had."""
        for exchange in self._exchanges:
            exchange.status = status or exchange.status
            self._log.record(self, exchange, sent)
        self._exchanges.clear()


# Writes the line of an exchange: the time, its connection, the content's octets, and microseconds.
WriteLine = Callable[[str, PendingEntries, Exchange, int, int], str]


class AccessLog:
    """Collects lines, and writes those of one turn at once.

    ``clock`` is the reactor's, ``wall_clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        stream: TextIO,
        layout: str = "combined",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = LineWriter(stream)
        # One target and one head serve many equal requests. At most a head each: 4 MiB by default.
        client_texts = lru_cache(maxsize=128)(_client_texts)
        # No bound methods: with one, only the garbage collector would free the log and its descriptor.
        layouts: dict[str, tuple[WriteLine, str]] = {
            "combined": (partial(self._combined, client_texts), "%d/%b/%Y:%H:%M:%S +0000"),
            "json": (self._json, "%Y-%m-%dT%H:%M:%SZ"),
        }
        self._write_line, self._time_format = layouts[layout]
        self._clock = clock
        self._wall_clock = wall_clock
        self._entries: list[tuple[PendingEntries, Exchange, int, int]] = []  # of this turn
        self._dropped = 0  # lines, since the last report
        self._failing = False  # an error was logged; reset by the next report of dropped lines
        self._quiet_until = -inf  # on the reactor's clock
        self._cached_time = (-1, "")

    def record(self, pending: PendingEntries, exchange: Exchange, sent: int) -> None:
        """Log an exchange; ``sent`` is how many octets the connection has sent up to its end."""
        content = sent - exchange.body_offset
        microseconds = (self._clock() - exchange.began) * 1e6
        self._entries.append((pending, exchange, content if content > 0 else 0, int(microseconds + 0.5)))

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
        """Write what is left, report the lines that were dropped, and close the log's descriptor."""
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
        client_texts: ClientTexts,
        when: str,
        peer: PendingEntries,
        exchange: Exchange,
        content: int,
        duration: int,
    ) -> str:
        request = exchange.request
        line, origin = client_texts(request.method, request.target, request.head)
        return (
            f"{peer.peer} - - [{when}] {line} {exchange.status} {content or '-'} "
            f"{origin} {duration} c{peer.number}#{exchange.number}\n"
        )

    @staticmethod
    def _json(when: str, peer: PendingEntries, exchange: Exchange, content: int, duration: int) -> str:
        request = exchange.request
        known = bool(request.target.path)
        entry = {
            "time": when,
            "peer": peer.peer,
            "method": shorten(request.method, json.dumps, 6) if known else None,
            "target": shorten(str(request.target), json.dumps, 6) if known else None,
            "version": request.version if known else None,
            "status": exchange.status,
            "body_bytes": content,
            "referer": shorten(request.headers.get("referer", ""), json.dumps, 6) or None,
            "user_agent": shorten(request.headers.get("user-agent", ""), json.dumps, 6) or None,
            "duration_us": duration,
            "connection": peer.number,
            "request": exchange.number,
        }
        return json.dumps(entry) + "\n"

    def _time(self) -> str:
        """Return the wall time, in UTC, as Apache or as ISO 8601 writes it; made once a second."""
        second = int(self._wall_clock())
        if second != self._cached_time[0]:
            self._cached_time = (second, time.strftime(self._time_format, time.gmtime(second)))
        return self._cached_time[1]

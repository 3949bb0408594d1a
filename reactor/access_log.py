"""The access log: one line a request, after its last octet or its failure; one write a turn.

    combined   127.0.0.1 - - [22/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 - "-" "curl/8" 93 c1#1
    json       the same as an object, with names

The first is Apache's combined format, then the duration in microseconds and which request on which
connection it was. What came from the client is escaped, so that nobody can forge a line.
Authorization is never logged. The log knows no socket: lines go to a stream that it is given.
"""

import json
import logging
import re
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

from reactor.http11.message import Request
from reactor.line_writer import write_lines

log = logging.getLogger("reactor")

FORMATS = ("combined", "json")
LONGEST = 900


def shorten(text: str, write: Callable[[str], str], expansion: int) -> str:
    """Cut a client's text that, written, would take more than LONGEST octets.

    Three of them and the rest of a line then fit what a pipe takes at once. ``expansion`` is how many
    octets a character may take.
    """
    if len(text) * expansion <= LONGEST or len(write(text).encode("utf-8", "replace")) <= LONGEST:
        return text
    return text[: LONGEST // expansion] + "..."


class Exchange(NamedTuple):
    """A request and its response on the way out.

    ``began`` is in seconds of the reactor's clock; ``content_at`` and ``ends_at`` are how many octets
    the connection sends before this response's content, and up to its end, None when not yet known.
    """

    request: Request
    status: int
    number: int
    began: float
    content_at: int
    ends_at: int | None = None


_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\ud800-\udfff]')


def escape(text: str) -> str:
    r"""Escape quotes, backslashes and controls.

    >>> print(escape('a"b' + chr(10)))
    a\x22b\x0a
    """
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class Ledger:
    """The exchanges of one connection that wait for their last octet to be sent."""

    __slots__ = ("_exchanges", "_log", "number", "peer")

    def __init__(self, log: "AccessLog", peer: str, number: int) -> None:
        self._log = log
        self._exchanges: list[Exchange] = []
        self.peer = peer
        self.number = number

    def begin(self, exchange: Exchange, starts_at: int) -> None:
        """Note an exchange whose response is queued after ``starts_at`` octets of others."""
        self.end(starts_at)
        self._exchanges.append(exchange)

    def end(self, ends_at: int) -> None:
        """Note where the last response ends, now that it is queued whole."""
        if self._exchanges and self._exchanges[-1].ends_at is None:
            self._exchanges[-1] = self._exchanges[-1]._replace(ends_at=ends_at)

    def settle(self, sent: int, everything: bool) -> None:
        """Log the exchanges that are sent, now that the connection has sent so many octets."""
        if everything:
            self.end(sent)
        done = 0
        for exchange in self._exchanges:
            if exchange.ends_at is None or exchange.ends_at > sent:
                break
            self._log.record(self, exchange, exchange.ends_at)
            done += 1
        del self._exchanges[:done]

    def abandon(self, sent: int, status: int | None = None) -> None:
        """Log what will not be sent to its end, with a status that says so, or with the one it had."""
        for exchange in self._exchanges:
            self._log.record(self, exchange._replace(status=status or exchange.status), sent)
        self._exchanges.clear()


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
        self._stream = stream
        self._write_line = {"combined": self._combined, "json": self._json}[layout]
        self._clock = clock
        self._wall_clock = wall_clock
        self._lines: list[str] = []
        self._dropped = 0
        self._second = (-1, "")

    def record(self, peer: Ledger, exchange: Exchange, sent: int) -> None:
        """Log an exchange; ``sent`` is how many octets the connection has sent up to its end."""
        content = max(0, sent - exchange.content_at)
        duration = max(0, round((self._clock() - exchange.began) * 1e6))
        self._lines.append(self._write_line(peer, exchange, content, duration))

    def flush(self) -> None:
        """Write the lines of this turn; a log that cannot be written stops nobody from being served."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            written = write_lines(self._stream, lines)
        except (OSError, ValueError) as error:
            log.error("the access log cannot be written: %s", error)
            return
        if written and self._dropped:
            log.warning("%d lines of the access log were dropped: nobody read them", self._dropped)
            self._dropped = 0
        self._dropped += len(lines) - written

    def _combined(self, peer: Ledger, exchange: Exchange, content: int, duration: int) -> str:
        request = exchange.request
        line, referer, agent = (
            escape(shorten(text or "-", escape, 4))
            for text in (
                f"{request.method} {request.target} {request.version}" if request.target.path else "",
                request.headers.get("referer", ""),
                request.headers.get("user-agent", ""),
            )
        )
        return (
            f'{peer.peer} - - [{self._time()}] "{line}" {exchange.status} {content or "-"} '
            f'"{referer}" "{agent}" {duration} c{peer.number}#{exchange.number}\n'
        )

    def _json(self, peer: Ledger, exchange: Exchange, content: int, duration: int) -> str:
        request = exchange.request
        known = bool(request.target.path)
        entry = {
            "time": self._time(),
            "peer": peer.peer,
            "method": shorten(request.method, json.dumps, 6) if known else None,
            "target": shorten(str(request.target), json.dumps, 6) if known else None,
            "version": request.version if known else None,
            "status": exchange.status,
            "content_octets": content,
            "referer": shorten(request.headers.get("referer", ""), json.dumps, 6) or None,
            "user_agent": shorten(request.headers.get("user-agent", ""), json.dumps, 6) or None,
            "duration_us": duration,
            "connection": peer.number,
            "request": exchange.number,
        }
        return json.dumps(entry) + "\n"

    def _time(self) -> str:
        """Return the wall time as Apache writes it, in UTC; made once a second."""
        second = int(self._wall_clock())
        if second != self._second[0]:
            self._second = (second, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second)))
        return self._second[1]

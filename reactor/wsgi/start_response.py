"""``start_response``: the status and the headers of an application's response, checked when they are set.

Header                                                     Effect
Content-Length                                             the response has this length
Date                                                       dropped: the server sends it
Connection, Keep-Alive, Transfer-Encoding, Upgrade ...     dropped, and logged once: they belong to the
                                                           connection, not to the application (PEP 3333)
"""

import logging
import re
from collections.abc import Callable
from types import TracebackType

from reactor.http11.grammar import is_content_length
from reactor.http11.message import HeaderPairs
from reactor.http11.serializer import check_header

log = logging.getLogger("reactor")

# RFC 9110, 7.6.1, and the list of PEP 3333.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write = Callable[[bytes], object]

_match_status = re.compile(r"([2-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?").fullmatch


class StartResponse:
    """The callable that an application is given; ``write`` is what it returns.

    ``length`` is the value of the application's Content-Length, or None. ``sent`` is set when the headers
    can no longer be replaced. ``reported`` is the names of dropped headers that have been logged.
    """

    __slots__ = ("_reported", "_write", "called", "headers", "length", "sent", "status")

    def __init__(self, write: Write, reported: set[str]) -> None:
        self._write = write
        self._reported = reported
        self.called = False
        self.sent = False
        self.status = 500
        self.headers: HeaderPairs = ()
        self.length: int | None = None

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Write:
        """Set the status and the headers; raise TypeError or ValueError if they are invalid.

        With ``exc_info``, replace them, or raise that exception if they have been sent. Without, raise
        RuntimeError if they have been set.
        """
        if exc_info is not None:
            try:
                if self.sent and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # avoids a reference cycle with the traceback
        elif self.called:
            raise RuntimeError("start_response() was called again without exc_info")
        self.status = _read_status(status)
        self.headers, self.length = self._read_headers(headers)
        self.called = True
        return self._write

    def _read_headers(self, headers: object) -> tuple[HeaderPairs, int | None]:
        if not isinstance(headers, list):
            raise TypeError(f"invalid headers: {headers!r} (expected a list of (name, value) tuples)")
        kept, length = [], None
        for each in headers:
            name, value = _read_pair(each)
            lower = name.lower()
            if lower == "content-length":
                length = _read_length(value, length)
            elif lower in HOP_BY_HOP:
                self._report(lower)
            elif lower != "date":
                check_header(name, value)
                kept.append((name, value))
        return tuple(kept), length

    def _report(self, name: str) -> None:
        if name not in self._reported:
            self._reported.add(name)
            log.warning("dropped the header %s of the application: it belongs to the connection", name)


def _read_status(status: object) -> int:
    if not isinstance(status, str):
        raise TypeError(f"invalid status: {status!r} (expected a string, such as '200 OK')")
    match = _match_status(status)
    if match is None:
        raise ValueError(f"invalid status: {status!r} (expected 200 to 599 and a phrase, such as '200 OK')")
    return int(match[1])


def _read_pair(pair: object) -> tuple[str, str]:
    match pair:
        case (str() as name, str() as value):
            return name, value
    raise TypeError(f"invalid header: {pair!r} (expected a tuple of two strings)")


def _read_length(value: str, before: int | None) -> int:
    if is_content_length(value) is None or len(value) > 18:
        raise ValueError(f"invalid Content-Length: {value!r} (expected digits)")
    if before not in (None, int(value)):
        raise ValueError(f"two values of Content-Length: {before} and {value}")
    return int(value)

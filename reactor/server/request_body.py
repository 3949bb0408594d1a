"""The body of a request while it is received, and the sink that it is written to.

The sink is the application's code. If it raises ``HTTPError``, the request is answered with that error; any
other exception is logged by the connection, and the answer is 500. This module does not handle sockets or
framing: it is given decoded bytes.

A body that is too large is answered with 413. Two limits apply, in bytes:

    Limit           Content-Length is checked            Received bytes are counted
    max_body        here, before the sink is opened      by ``http11/chunked.py``, at each chunk size
    the sink's own  when the sink is opened              by the sink, at each write (``routing.py``)

After a refusal, the rest of a short body is received and discarded, so that the connection persists.
"""

import logging
from math import inf

from reactor.http11.errors import HTTPError, content_too_large
from reactor.http11.message import Request
from reactor.http11.serializer import interim
from reactor.routing import Handler, InterimSink, SinkFactory, ViewSink, discard
from reactor.settings import KIB, Settings

log = logging.getLogger("reactor")

MAX_DISCARDED = 64 * KIB  # bytes of a refused body that are received; a longer one closes the connection


class RequestBody:
    """Passes the body of one request to its sink. ``began`` is in seconds of the reactor's clock.

    The constructor opens the sink. It raises HTTPError if Content-Length exceeds ``max_body`` or the sink
    cannot be opened; ``write`` and ``finish`` raise it if the sink fails. ``interim_sink`` is the sink if it
    may have interim responses to send, else None; ``view_sink`` is the sink if it takes views, else None.
    ``handler`` is None if the request has been answered already.
    """

    __slots__ = (
        "_sink",
        "began",
        "bytes_in_window",
        "handler",
        "interim_sink",
        "request",
        "view_sink",
        "window_ends",
    )

    def __init__(
        self, request: Request, handler: Handler | None, factory: SinkFactory, began: float, max_body: int
    ) -> None:
        if request.head.length > max_body:
            raise content_too_large(max_body)
        self.request = request
        self.handler = handler
        self.began = began
        self.bytes_in_window = 0  # received in the current rate window
        self.window_ends = inf  # when the rate is measured next, a time of the reactor's clock
        try:
            self._sink = sink = factory(request)
        except Exception as error:
            raise _refusal(error) from None
        # RFC 9110, 15.2: 1xx responses must not be sent to HTTP/1.0 clients.
        self.interim_sink = sink if isinstance(sink, InterimSink) and request.head.version == 1 else None
        self.view_sink = sink if isinstance(sink, ViewSink) else None

    @classmethod
    def discarding(cls, request: Request, began: float) -> "RequestBody":
        """Make one that discards the rest of the body of a request that has been refused."""
        return cls(request, None, discard(request.head.length), began, request.head.length)

    @classmethod
    def without_bytes(cls, request: Request, handler: Handler, began: float) -> "RequestBody":
        """Make one for a request whose body is not received before its response is known."""
        return cls(request, handler, discard(request.head.length), began, request.head.length)

    def take_interim(self) -> bytes:
        """Return the next interim response, for sending; b"" without one."""
        sink = self.interim_sink
        if sink is None or sink.interim is None:
            return b""
        response, sink.interim = sink.interim, None
        return interim(*response)

    def write(self, data: bytes | memoryview) -> None:
        """Write received bytes to the sink; a view only to a ``view_sink``."""
        self.bytes_in_window += len(data)
        try:
            if isinstance(data, bytes):
                self._sink.write(data)
            else:
                assert self.view_sink is not None, "a view for a sink that takes bytes"
                self.view_sink.write(data)
        except Exception as error:
            raise _refusal(error) from None

    def measure_rate(self, settings: Settings) -> str | None:
        """End a rate window: return an error if the body was too slow, else None and start a new window."""
        if self.bytes_in_window < settings.min_rate * settings.content_timeout:
            rate, seconds = settings.min_rate, settings.content_timeout
            return f"request body too slow: below {rate:g} bytes/s for {seconds:g} s"
        self.bytes_in_window = 0
        self.window_ends = inf
        return None

    def finish(self) -> None:
        """Finish the sink, and store its result in the request."""
        try:
            result = self._sink.finish()
        except Exception as error:
            raise _refusal(error) from None
        if isinstance(result, bytes):
            self.request.content = result
        else:
            self.request.upload = result

    def close(self) -> None:
        """Close the sink, which discards whatever the handler did not keep."""
        try:
            self._sink.close()
        except Exception:
            log.exception("unhandled exception while closing the request body of %r", self.request)


class SinkError(HTTPError):
    """An exception of a sink, ``cause``, other than an HTTPError."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(500, "processing the request body failed")
        self.cause = cause


def _refusal(error: Exception) -> HTTPError:
    """Return the HTTPError for an exception of the sink."""
    return error if isinstance(error, HTTPError) else SinkError(error)

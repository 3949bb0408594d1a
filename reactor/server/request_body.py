"""The body of a request that is being received, and the sink that takes it.

Opening the sink, writing to it and finishing it are the application's code. Where it refuses, by
``HTTPError``, the request is refused; where it fails, the failure is logged, and the request is
refused with 500. This module knows no socket and no framing: it is given octets.

A body that is too large is refused with 413. Two limits apply, in bytes:

    Limit          Content-Length is checked            Bytes are counted
    max_body       here, before the sink is opened      by ``http11/chunked.py``, at each chunk size
    of the sink    when the sink is opened              by the sink, at each write (``routing.py``)
"""

import logging
from math import inf

from reactor.http11.errors import HTTPError, content_too_large
from reactor.http11.message import Request
from reactor.routing import Handler, InterimSink, SinkFactory
from reactor.settings import Settings

log = logging.getLogger("reactor")


class RequestBody:
    """Takes in the content of one request. ``began`` is in seconds of the reactor's clock.

    Making one opens the sink, unless Content-Length is above ``max_body`` bytes; that, ``write`` and
    ``finish`` raise HTTPError to refuse. ``interim`` is the status and the fields of the interim response
    that the sink has sent before the body is received, or None.
    """

    __slots__ = ("_sink", "began", "handler", "interim", "octets_in_window", "request", "window_ends")

    def __init__(
        self, request: Request, handler: Handler, factory: SinkFactory, began: float, max_body: int
    ) -> None:
        if request.head.length > max_body:
            raise content_too_large(max_body)
        self.request = request
        self.handler = handler
        self.began = began
        self.octets_in_window = 0  # how many came since the rate was last measured
        self.window_ends = inf  # when it is measured next, by the reactor's clock
        try:
            self._sink = sink = factory(request)
        except Exception as error:
            raise _refusal(error) from None
        # RFC 9110, 15.2: an HTTP/1.0 client gets no interim response.
        self.interim = sink.interim if isinstance(sink, InterimSink) and request.head.version == 1 else None

    def write(self, octets: bytes) -> None:
        """Pass octets on."""
        self.octets_in_window += len(octets)
        try:
            self._sink.write(octets)
        except Exception as error:
            raise _refusal(error) from None

    def measure_rate(self, settings: Settings) -> str | None:
        """End a window: return why the content is too slow, or None; then the next octets begin a window."""
        if self.octets_in_window < settings.min_rate * settings.content_timeout:
            rate, seconds = settings.min_rate, settings.content_timeout
            return f"request body too slow: below {rate:g} bytes/s for {seconds:g} s"
        self.octets_in_window = 0
        self.window_ends = inf
        return None

    def finish(self) -> None:
        """Give the request what the sink made of the body, which is complete."""
        try:
            made = self._sink.finish()
        except Exception as error:
            raise _refusal(error) from None
        if isinstance(made, bytes):
            self.request.content = made
        else:
            self.request.upload = made

    def close(self) -> None:
        """Be done with the content: what the handler did not keep is gone."""
        try:
            self._sink.close()
        except Exception:
            log.exception("unhandled exception while closing the request body of %r", self.request)


def _refusal(error: Exception) -> HTTPError:
    """Return the error to refuse a request with for an exception of the application, which is logged."""
    if isinstance(error, HTTPError):
        return error
    log.error("unhandled exception while processing a request body", exc_info=error)
    return HTTPError(500, "processing the request body failed")

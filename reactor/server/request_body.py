"""The body of a request that is being received, and the sink that takes it.

Opening the sink, writing to it and finishing it are the application's code. Where it refuses, by
``HTTPError``, the request is refused; where it fails, the failure is logged, and the request is
refused with 500. This module knows no socket and no framing: it is given octets.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import TypeVar

from reactor.http11.errors import HTTPError
from reactor.http11.message import Fields, Request
from reactor.routing import Handler, Sink, SinkFactory
from reactor.settings import Settings

log = logging.getLogger("reactor")

Result = TypeVar("Result")


class RequestBody:
    """Takes in the content of one request. ``began`` is in seconds of the reactor's clock.

    Making one opens the sink; that, ``write`` and ``finish`` raise HTTPError to refuse.
    """

    __slots__ = ("_sink", "began", "handler", "octets_in_window", "request", "window_ends")

    def __init__(self, request: Request, handler: Handler, factory: SinkFactory, began: float) -> None:
        self.request = request
        self.handler = handler
        self.began = began
        self.octets_in_window = 0  # how many came since the rate was last measured
        self.window_ends = inf  # when it is measured next, by the reactor's clock
        self._sink: Sink = _call_app(lambda: factory(request))

    @property
    def interim(self) -> tuple[int, Fields] | None:
        """What the sink has to say before its content comes, a status and fields, or None."""
        return getattr(self._sink, "interim", None)

    def write(self, octets: bytes) -> None:
        """Pass octets on."""
        self.octets_in_window += len(octets)
        _call_app(lambda: self._sink.write(octets))

    def measure_rate(self, settings: Settings) -> str | None:
        """End a window: return why the content is too slow, or None; then the next octets begin a window."""
        if self.octets_in_window < settings.min_rate * settings.content_timeout:
            return f"content came slower than {settings.min_rate:g} octets a second"
        self.octets_in_window = 0
        self.window_ends = inf
        return None

    def finish(self) -> None:
        """Let the request have its content, which is complete."""
        self.request.content = _call_app(self._sink.finish)

    def close(self) -> None:
        """Be done with the content: what the handler did not keep is gone."""
        try:
            self._sink.close()
        except Exception:
            log.exception("closing the content of %r failed", self.request)


def _call_app(function: Callable[[], Result]) -> Result:
    """Call a function of the application; raise nothing but HTTPError."""
    try:
        return function()
    except HTTPError:
        raise
    except Exception:
        log.exception("taking the content failed")
        raise HTTPError(500, "the server failed to take the content") from None

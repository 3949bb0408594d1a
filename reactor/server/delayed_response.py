"""A response that is known, but sent later: the connection waits in AWAITING_RESULT."""

from math import inf

from reactor.http11.deferred import Deferred
from reactor.http11.message import Response
from reactor.loop import Reactor
from reactor.timer import Timer


class DelayedResponse(Deferred):
    """A Deferred that a timer resolves after ``delay`` seconds."""

    __slots__ = ("_response", "_timer")

    def __init__(self, reactor: Reactor, delay: float, response: Response) -> None:
        super().__init__(timeout=inf)
        self._response = response
        self._timer = Timer(reactor, delay, self.end)

    def end(self) -> None:
        """End the delay now."""
        if not self.done:
            self._timer.cancel()
            self.resolve(self._response)

    def close(self) -> None:
        """Note that the client has disconnected, and release the timer."""
        super().close()
        self.end()

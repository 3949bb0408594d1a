"""The log of slow callbacks: which callback or turn blocked the loop, and for how long.

The reactor measures them, and calls the object that was passed to ``Reactor.report_slow``.
"""

import logging

from reactor.event_handler import EventHandler
from reactor.loop import Reactor

log = logging.getLogger("reactor")


class SlowCallbackLog:
    """Logs the callbacks and the turns of a reactor that take longer than ``limit`` seconds."""

    def __init__(self, reactor: Reactor, limit: float) -> None:
        self._reactor = reactor
        self._last_logged = reactor.began - 1.0  # ``began`` of the last turn with a slow callback
        reactor.report_slow(limit, self)

    def on_slow_callback(self, handler: EventHandler, callback: str, seconds: float) -> None:
        """Log a slow callback."""
        self._last_logged = self._reactor.began
        log.warning("slow callback: %s of %r blocked the loop for %.0f ms", callback, handler, seconds * 1e3)

    def on_slow_turn(self, ready: int) -> None:
        """Log a slow turn without a slow callback: it had many callbacks, or its end was slow."""
        reactor = self._reactor
        if self._last_logged != reactor.began:
            now = reactor.clock()
            log.warning(
                "slow turn: %.0f ms (%.0f in callbacks, %d handles were ready; %.0f at the end of the turn)",
                (now - reactor.began) * 1e3,
                (reactor.returned - reactor.began) * 1e3,
                ready,
                (now - reactor.returned) * 1e3,
            )

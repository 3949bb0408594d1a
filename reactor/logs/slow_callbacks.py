"""The log of slow callbacks: which hook, or which turn, blocked the loop, and for how long.

The reactor measures its hooks and turns anyway, and calls what was passed to ``Reactor.report_slow``.
"""

import logging

from reactor.event_handler import EventHandler
from reactor.loop import Reactor

log = logging.getLogger("reactor")


class SlowCallbackLog:
    """Logs the hooks and the turns of a reactor that take longer than ``limit`` seconds."""

    def __init__(self, reactor: Reactor, limit: float) -> None:
        self._reactor = reactor
        self._last_logged = reactor.began - 1.0  # when the last turn began in which a slow hook was logged
        reactor.report_slow(limit, self)

    def on_slow_hook(self, handler: EventHandler, hook: str, seconds: float) -> None:
        """Log a slow hook."""
        self._last_logged = self._reactor.began
        log.warning("slow callback: %s of %r blocked the loop for %.0f ms", hook, handler, seconds * 1e3)

    def on_slow_turn(self, ready: int) -> None:
        """Log a turn that was slow by many hooks, none of them slow, or by its end."""
        reactor = self._reactor
        if self._last_logged != reactor.began:
            now = reactor.clock()
            log.warning(
                "slow turn: %.0f ms: %.0f in the event handlers of %d ready handles, %.0f at its end",
                (now - reactor.began) * 1e3,
                (reactor.returned - reactor.began) * 1e3,
                ready,
                (now - reactor.returned) * 1e3,
            )

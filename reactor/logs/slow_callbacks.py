"""The log of slow callbacks: which hook, or which turn, blocked the loop, and for how long.

It observes a reactor from outside: ``Reactor.report_long_hooks`` calls it after a slow hook, and
``Reactor.at_turn_end`` at the end of every turn, after the functions that were added before.
"""

import logging

from reactor.event_handler import EventHandler
from reactor.loop import Reactor

log = logging.getLogger("reactor")


class SlowCallbackLog:
    """Logs the hooks and the turns of a reactor that take longer than ``limit`` seconds."""

    def __init__(self, reactor: Reactor, limit: float) -> None:
        self._reactor = reactor
        self._limit = limit
        self._last_logged = reactor.began - 1.0  # when the last turn began in which a slow hook was logged
        reactor.report_long_hooks(limit, self._log_hook)
        reactor.at_turn_end(self._check_turn)

    def _log_hook(self, handler: EventHandler, hook: str, seconds: float) -> None:
        if seconds > self._limit:
            self._last_logged = self._reactor.began
            log.warning("slow: %s of %r took %.0f ms, and all others waited", hook, handler, seconds * 1e3)

    def _check_turn(self) -> None:
        """Log a turn that was slow by many hooks, none of them slow, or by its end."""
        reactor = self._reactor
        now = reactor.clock()
        if now - reactor.began > self._limit and self._last_logged != reactor.began:
            log.warning(
                "slow: a turn took %.0f ms: %.0f in the event handlers of %d ready handles, %.0f at its end",
                (now - reactor.began) * 1e3,
                (reactor.returned - reactor.began) * 1e3,
                reactor.ready,
                (now - reactor.returned) * 1e3,
            )

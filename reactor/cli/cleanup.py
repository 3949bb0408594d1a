"""The cleanup after the start: remove the unfinished uploads of killed processes while requests are served.

The listening socket is open by then: on a large tree the search takes seconds and must not delay the start.
"""

import logging
from collections.abc import Generator

from reactor.event_handler import EventHandler
from reactor.loop import Reactor

log = logging.getLogger("reactor")

TURN_SHARE = 0.001  # seconds per turn


class Cleanup(EventHandler):
    """Runs small steps, each of which yields the number of files it removed, until it is closed.

    ``Reactor.soon`` starts it.
    """

    __slots__ = ("_reactor", "_removed", "_steps")

    def __init__(self, reactor: Reactor, steps: Generator[int, None, None]) -> None:
        super().__init__()
        self._reactor = reactor
        self._steps = steps
        self._removed = 0

    def on_soon(self) -> None:
        """Run steps for up to TURN_SHARE seconds, and at least one."""
        ends = self._reactor.clock() + TURN_SHARE
        for removed in self._steps:
            self._removed += removed
            if self._reactor.clock() >= ends:
                self._reactor.soon(self)
                return
        self.close()

    def close(self) -> None:
        """End the steps, and log how many files were removed; idempotent."""
        self._steps.close()
        if self._removed:
            log.info("removed %d unfinished upload%s", self._removed, "s" if self._removed > 1 else "")
        self._removed = 0

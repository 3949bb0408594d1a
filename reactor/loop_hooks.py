"""What can observe a reactor: hooks for a subclass, and a reporter of slow hooks and turns.

The hooks do nothing here. A call of an empty method takes 25 ns, three times a request, so the reactor calls
them only where ``hooks`` returns an object: an instrumented reactor returns itself.
"""

import selectors
from typing import Protocol

from reactor.event_handler import EventHandler

# What a selector returns: keys, each with an event mask.
Ready = list[tuple[selectors.SelectorKey, int]]


class LoopHooks:
    """The public hooks of a reactor."""

    def hooks(self) -> "LoopHooks | None":
        """Return what has its hooks called, None for nothing."""
        return None

    def on_selected(self, asked: float, timeout: float | None, ready: Ready) -> None:
        """Observe what the selector returned that was asked at a time, to sleep for a timeout at most."""

    def before_call(self, handler: EventHandler, events: int) -> None:
        """Observe that a handler is about to be called for an event mask, DEADLINE or SOON."""

    def after_call(self, handler: EventHandler, events: int, began: float) -> None:
        """Observe that a call has returned, at ``Reactor.returned``."""


class SlowReporter(Protocol):
    """Reports what blocked the loop."""

    def on_slow_hook(self, handler: EventHandler, hook: str, seconds: float) -> None:
        """Report a hook that took so many seconds."""

    def on_slow_turn(self, ready: int) -> None:
        """Report a turn with so many ready handles."""

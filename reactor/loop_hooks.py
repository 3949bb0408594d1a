"""What can observe a reactor: hooks for a subclass, and a reporter of slow callbacks and turns.

    class Counting(Reactor):
        calls = 0

        def hooks(self):
            return self

        def after_call(self, handler, events, began):
            self.calls += 1

The hooks do nothing here. A call of an empty method takes 25 ns, three times a request, so the reactor calls
them only where ``hooks``, which it asks when it is made, returns an object. An exception that a hook raises
ends the loop.
"""

import selectors
from typing import Protocol

from reactor.event_handler import EventHandler

# What a selector returns: keys, each with an event mask.
Ready = list[tuple[selectors.SelectorKey, int]]


class LoopHooks:
    """The public hooks of a reactor. Times are in seconds of the reactor's clock."""

    def hooks(self) -> "LoopHooks | None":
        """Return the object whose hooks are called, None for no object."""
        return None

    def on_selected(self, asked: float, timeout: float | None, ready: Ready) -> None:
        """Observe what the selector returned, which was asked at a time to sleep for ``timeout`` at most."""

    def before_call(self, handler: EventHandler, events: int) -> None:
        """Observe that a handler is due, for an event mask (which may be stale), DEADLINE or SOON."""

    def after_call(self, handler: EventHandler, events: int, began: float) -> None:
        """Observe that its callbacks have returned; a call begins when the one before has returned."""


class SlowReporter(Protocol):
    """Reports what blocked the loop."""

    def on_slow_callback(self, handler: EventHandler, callback: str, seconds: float) -> None:
        """Report a callback that took so many seconds."""

    def on_slow_turn(self, ready: int) -> None:
        """Report a turn with so many ready handles."""

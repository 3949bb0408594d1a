"""Observing a reactor: hooks for a subclass, and a reporter of slow callbacks and turns.

    class Counting(Reactor):
        calls = 0

        def active_hooks(self):
            return self

        def after_call(self, handler, events, began):
            self.calls += 1

The hooks do nothing here. Calling an empty method takes 25 ns, three times per request, so the reactor calls
them only if ``active_hooks``, which its constructor calls, returns an object: a subclass returns itself. An
exception raised by a hook ends the loop.
"""

import selectors
from typing import Protocol

from reactor.event_handler import EventHandler

# The result of a selector: keys, each with an event mask.
Ready = list[tuple[selectors.SelectorKey, int]]


class LoopHooks:
    """The public hooks of a reactor. Times are in seconds of the reactor's clock."""

    def active_hooks(self) -> "LoopHooks | None":
        """Return the object whose hooks are called: None here, ``self`` in a subclass that observes."""
        return None

    def on_selected(self, called_at: float, timeout: float | None, ready: Ready) -> None:
        """Observe the result of the selector, which was called at ``called_at`` with ``timeout``."""

    def before_call(self, handler: EventHandler, events: int) -> None:
        """Observe that a handler is about to be called.

        ``events`` is an event mask, which may be stale, or the constant DEADLINE or SOON.
        """

    def after_call(self, handler: EventHandler, events: int, began: float) -> None:
        """Observe that its callbacks have returned; ``began`` is when the previous call returned."""


class SlowReporter(Protocol):
    """Reports callbacks and turns that blocked the loop."""

    def on_slow_callback(self, handler: EventHandler, callback: str, seconds: float) -> None:
        """Report a callback that took ``seconds``."""

    def on_slow_turn(self, ready: int) -> None:
        """Report a slow turn with ``ready`` ready handles."""

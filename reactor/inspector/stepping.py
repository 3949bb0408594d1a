"""Stepping: a reactor that can be held between two events, and the connections of its server.

While the loop is held, its frames stay on the stack, in the middle of ``Reactor.turn``: holding it means to
run *another* reactor, the outer one, from within, until the control releases the loop. So the stepped turn
is the real one, not a copy that could differ. Between two turns, the outer reactor simply stops waiting for
the inner one. Both are implemented in ``reactor.inspector.main_loop``; ``reactor.inspector.control`` decides
which events may pass.

This module does not depend on HTTP or on what the outer reactor serves.
"""

import selectors
import socket
from collections.abc import Sequence
from math import inf

from reactor.event_handler import CALLBACKS, DEADLINE, SOON, EventHandler
from reactor.inspector.control import (
    AFTER_STATE_CHANGE,
    BEFORE_DEADLINE,
    BEFORE_READY,
    BEFORE_SOON,
    EVENT,
    RUNNING,
    SLOW,
    TURN,
    Control,
    Position,
)
from reactor.inspector.main_loop import MainLoop
from reactor.inspector.pausable_clock import pausable
from reactor.loop import Reactor
from reactor.loop_hooks import Ready
from reactor.observe.events import EventCallback
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.server.context import ServerContext
from reactor.server.state import State


class SteppedReactor(InstrumentedReactor):
    """A reactor whose turns are run by an outer reactor when they are due.

    It never sleeps: its events contain how long it *would* have slept and how long the outer reactor waited.
    Its clock is that of the outer reactor, and is stopped while the loop is held.
    """

    def __init__(
        self,
        outer: Reactor,
        subscribers: Sequence[EventCallback],
        selector: selectors.BaseSelector | None,
        slow_turn: float,
    ) -> None:
        clock = pausable(outer.clock)
        super().__init__(subscribers, selector, clock.read)
        self.control = Control()
        self._slow_turn = slow_turn
        self._waiting_since = self.now
        self._wanted_timeout: float | None = None
        self._main_loop = MainLoop(self, outer, self.control, clock)

    @property
    def selector(self) -> selectors.BaseSelector:
        """The selector that the outer reactor waits for."""
        return self._selector

    def earliest(self) -> float:
        """Return when the next turn is due if no handle becomes ready (-inf: now, inf: never)."""
        return -inf if self._soon else self._deadlines.earliest()

    def next_deadlines(self, count: int) -> list[EventHandler]:
        """Return the event handlers with the earliest deadlines."""
        return self._deadlines.next(count)

    def turn(self, may_sleep: bool = False) -> None:
        """Run a turn that is due."""
        super().turn(may_sleep)
        self._waiting_since = self.clock()
        earliest = self.earliest()
        self._wanted_timeout = None if earliest == inf else max(0.0, earliest - self._waiting_since)
        self.control.on_turn_end(self._waiting_since - self.began > self._slow_turn)

    def on_selected(self, called_at: float, timeout: float | None, ready: Ready) -> None:
        """Emit the events of a turn with the time that the outer reactor waited."""
        super().on_selected(self._waiting_since, self._wanted_timeout, ready)

    def before_call(self, handler: EventHandler, events: int) -> None:
        """Hold the loop before a call if the control requires it."""
        control = self.control
        pace = control.pace
        if pace is RUNNING or pace is TURN:
            return
        step = BEFORE_SOON if events == SOON else BEFORE_DEADLINE if events == DEADLINE else BEFORE_READY
        if step == BEFORE_READY:
            events &= handler.interest
            if not events:  # the event is stale, and the handler is not called
                return
        if pace is not EVENT:
            reason, seconds = ("slow motion", control.delay) if pace is SLOW else (control.reason, inf)
            self._hold(step, handler, CALLBACKS[events], reason, seconds)
        control.on_event()

    def check_breakpoint(self, handler: EventHandler, state: str) -> None:
        """Hold the loop if a breakpoint is set for the state that an event handler has entered."""
        control = self.control
        if state in control.break_on_states:
            control.hit_breakpoint(state)
            self._hold(AFTER_STATE_CHANGE, handler, state, control.reason)
            control.on_event()  # the rest of this call is the event that may pass

    def _hold(
        self, step: str, handler: EventHandler, callback_or_state: str, reason: str, seconds: float = inf
    ) -> None:
        """Publish the events so far, and hold the loop."""
        self.publish()
        self._main_loop.hold(Position(step, self.turns, handler, callback_or_state, reason), seconds)


class InspectedConnection(InstrumentedConnection):
    """A connection that can be held when it enters a state; its reactor is a ``SteppedReactor``."""

    __slots__ = ("_reactor",)

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        reactor = context.reactor
        assert isinstance(reactor, SteppedReactor)
        self._reactor = reactor
        super().__init__(context, sock, peer)
        if self.state.name in reactor.control.break_on_states:
            # The connection is not registered with the server yet: hold the loop before the next event.
            reactor.control.hit_breakpoint(f"c{self.number} enters {self.state.name}")

    def on_state_change(self, before: State, after: State) -> None:
        """Emit STATE_CHANGED, and hold the loop if a breakpoint is set for the state."""
        super().on_state_change(before, after)
        if self._reactor.control.break_on_states:
            self._reactor.check_breakpoint(self, after.name)

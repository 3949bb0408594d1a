"""The main loop as an event handler of another reactor: an epoll handle can itself be polled.

``epoll_create`` and ``kqueue`` return a file descriptor, which is *readable* when a handle that is registered
with it is ready. So one reactor can wait for another:

    the outer reactor waits for    its listening handle, its browsers, and the main selector
    the main selector waits for    the handles of the server

When the main selector becomes readable, or the main loop's earliest deadline passes, the outer reactor
calls this event handler like any other, and a turn of the main loop runs at the end of the outer turn. To
pause the main loop, the outer reactor stops waiting for that handle. The clients stay connected, their bytes
stay in the kernel, and the outer reactor continues to serve the inspector's page, all in one thread.

Other programs nest event loops in the same way: a GUI toolkit waits for the loop of a library, or a library
exposes its epoll descriptor instead of a hundred sockets.
"""

import selectors
from collections.abc import Callable
from math import inf
from typing import Protocol

from reactor.event_handler import EventHandler, Interest
from reactor.inspector.control import BETWEEN_TURNS, PAUSED, Control, Position
from reactor.inspector.pausable_clock import PausableClock
from reactor.loop import Reactor


class Steppable(Protocol):
    """A reactor whose turns are run by another reactor."""

    turns: int

    @property
    def selector(self) -> selectors.BaseSelector:
        """The selector that the other reactor waits for."""

    def earliest(self) -> float:
        """Return when the next turn is due if no handle becomes ready (-inf: now, inf: never)."""

    def turn(self) -> None:
        """Run a turn that does not sleep."""


class Timer(EventHandler):
    """Calls a function once, at a given time of the reactor's clock."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self._function = function

    def on_deadline(self) -> None:
        """Call the function."""
        self.deadline = inf
        self._function()


class MainLoop(EventHandler):
    """Runs a turn of the main reactor when one is due, and holds it according to its control."""

    __slots__ = ("_clock", "_control", "_inner", "_is_due", "_is_in_turn", "_outer", "_timer")

    def __init__(self, inner: Steppable, outer: Reactor, control: Control, clock: PausableClock) -> None:
        super().__init__(inner.selector, Interest.READ)
        self._inner = inner
        self._outer = outer
        self._control = control
        self._clock = clock
        self._is_due = False
        self._is_in_turn = False  # held in the middle of a turn
        self._timer = Timer(control.on_delay_end)
        outer.at_turn_end(self._end_outer_turn)
        self._wait_for_inner()

    def on_readable(self) -> None:
        """Record that a handle of the main loop is ready."""
        self._is_due = True

    def on_deadline(self) -> None:
        """Record that a deadline of the main loop has passed."""
        self.deadline = inf
        self._is_due = True

    def hold(self, position: Position, seconds: float) -> None:
        """Hold the main loop in the middle of its turn: run turns of the outer reactor in the meantime."""
        self._suspend(position)
        self._timer.deadline = self._outer.clock() + seconds
        self._outer.refresh(self._timer)
        self._is_in_turn = True
        try:
            while self._control.held_at is not None:
                self._outer.turn()
        finally:
            self._is_in_turn = False
        self._timer.deadline = inf
        self._resume()

    def _end_outer_turn(self) -> None:
        """Run a turn of the main loop if one is due and the control allows it.

        This happens at the end of the outer turn, so that every handler of the outer turn has been called
        before the main loop is held.
        """
        if self._is_in_turn:
            return
        if self._control.pace is PAUSED:
            self._hold_between_turns()
        elif not self.interest:
            self._resume()
        elif self._is_due:
            self._is_due = False
            self._inner.turn()
            if self._control.pace is PAUSED:
                self._hold_between_turns()
            else:
                self._wait_for_inner()
        else:
            self._control.on_nothing_ready()

    def _hold_between_turns(self) -> None:
        """Hold the main loop between two turns: the outer reactor stops waiting for it."""
        if self._control.held_at is None:
            self._suspend(Position(BETWEEN_TURNS, self._inner.turns, None, "", self._control.reason))

    def _suspend(self, position: Position) -> None:
        self._control.hold(position)
        self._clock.hold()
        self.interest = Interest.NONE
        self.deadline = inf
        self._is_due = False
        self._outer.refresh(self)

    def _resume(self) -> None:
        self._clock.resume()
        self.interest = Interest.READ
        self._wait_for_inner()

    def _wait_for_inner(self) -> None:
        """Wait for the main selector and for the earliest deadline, converted to the outer clock."""
        earliest = self._inner.earliest()
        waits = earliest - self._clock.read()
        self.deadline = inf if earliest == inf else self._outer.clock() + max(0.0, waits)
        self._outer.refresh(self)

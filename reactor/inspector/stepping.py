"""Stepping: a reactor that can be held between two events, and a clock that stands still meanwhile.

    RUNNING   nothing is held
    PAUSED    held, until somebody asks for one event, for one turn, or to go on
    SLOW      held for a moment before each event

Where the loop is held, its frames stay on the stack, in the middle of ``Reactor.turn``: to hold is to
run *another* reactor, the outer one, from within, until it says that we may go on. So there is no
second turn that could differ from the real one. Between two turns nothing needs to be held: the outer
reactor does not wait for the inner one then (``reactor.inspector.main_loop``).

It knows no HTTP, and not what the outer reactor serves.
"""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from reactor.event_handler import DEADLINE, HOOKS, EventHandler
from reactor.loop import Reactor
from reactor.loop_hooks import Ready
from reactor.observe.events import EventCallback
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.server.context import ServerContext
from reactor.server.state import State

RUNNING, PAUSED, SLOW = "running", "paused", "slow"
# Where the loop can be held.
BETWEEN, DISPATCH, LATE, ENTER = "turn", "dispatch", "late", "enter"


class PausableClock(NamedTuple):
    """A clock, in seconds, that stands still while it is held, and resumes as if no time had passed."""

    read: Callable[[], float]
    hold: Callable[[], None]
    resume: Callable[[], None]


def pausable(clock: Callable[[], float] = time.monotonic) -> PausableClock:
    """Make a clock that can be held.

    Functions around two variables, since it is read eight times a request, and to call an object takes
    twice as long.
    """
    held_at: float | None = None
    lost = 0.0

    def read() -> float:
        return (clock() if held_at is None else held_at) - lost

    def hold() -> None:
        nonlocal held_at
        if held_at is None:
            held_at = clock()

    def resume() -> None:
        nonlocal held_at, lost
        if held_at is not None:
            lost += clock() - held_at
            held_at = None

    return PausableClock(read, hold, resume)


class Position(NamedTuple):
    """Where the loop is held, at which event handler, and why; ``handler`` is None between two turns."""

    step: str
    turn: int
    handler: EventHandler | None
    hook: str
    reason: str


class Timer(EventHandler):
    """Calls a function once, at a time of the outer reactor's clock."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self._function = function

    def on_deadline(self) -> None:
        """Call the function."""
        self.deadline = inf
        self._function()


class Control:
    """What may happen, and what is held: the one place that both reactors look at.

    ``suspend_loop`` and ``resume_loop`` stop and start the outer reactor's waiting for the inner one.
    """

    def __init__(self, outer: Reactor, clock: PausableClock) -> None:
        self.outer = outer
        self.clock = clock
        self.mode = RUNNING
        self.delay = 0.5  # seconds before each event in slow motion
        self.at: Position | None = None
        self.stop_at_states: frozenset[str] = frozenset()
        self.stop_at_slow = False
        self.suspend_loop: Callable[[], None] = lambda: None
        self.resume_loop: Callable[[], None] = lambda: None
        self.before_holding: Callable[[], None] = lambda: None
        self.waiting = ""  # what a paused loop waits for: "event", "turn" or ""
        self._reason = ""
        self._turn = 0
        self._events = 0  # that may pass while paused
        self._turn_may_pass = False
        self._holding = False
        self._timer = Timer(self._let_go)

    @property
    def may_hold(self) -> bool:
        """True while the loop is held, or would be held by a breakpoint."""
        return self.mode is not RUNNING or bool(self.stop_at_states) or self.stop_at_slow

    # Commands.

    def pause(self) -> None:
        """Hold where we are: between two turns, or where the loop is held already."""
        self._be_paused("you asked")
        if not self._holding:
            self._stay()

    def resume(self) -> None:
        """Resume the loop; breakpoints stay."""
        self.mode, self.waiting = RUNNING, ""
        self._release()

    def detach(self) -> None:
        """Remove all breakpoints and resume: a server that stops must not be held."""
        self.stop_at_states, self.stop_at_slow = frozenset(), False
        self.resume()

    def slow_motion(self, delay: float) -> None:
        """Hold for so many seconds before each event."""
        self.mode, self.delay, self.waiting = SLOW, delay, ""
        self._release()

    def step_event(self) -> None:
        """Let one event handler be called, and hold before the next."""
        self._be_paused("one event")
        self._events = 1
        self._release()

    def step_turn(self) -> None:
        """Let one turn pass."""
        self._be_paused("one turn")
        self._turn_may_pass = True
        self._release()

    # Called by the loop, which may be held here.

    def before(self, step: str, handler: EventHandler, hook: str) -> None:
        """Hold, where it is wished for, before an event handler is called."""
        if self._turn_may_pass:
            return
        if self.mode is SLOW:
            self._hold(Position(step, self._turn, handler, hook, "slow motion"), self.delay)
        elif not self._events:
            self._hold(Position(step, self._turn, handler, hook, self._reason))
        # Whoever let us go on has let this event pass.
        self._events = max(0, self._events - 1)

    def entered(self, handler: EventHandler, state: str) -> None:
        """Hold where a connection enters a state at which to stop."""
        if state in self.stop_at_states:
            self._be_paused(f"breakpoint: {state}")
            self._hold(Position(ENTER, self._turn, handler, state, self._reason))
            self._events = 0  # what is left of this call is the one event

    def pause_soon(self, reason: str) -> None:
        """Hold before the next event: for those who cannot be held where they are."""
        self._be_paused(f"breakpoint: {reason}")

    def turn_began(self, turn: int) -> None:
        """Note which turn it is."""
        self._turn = turn

    def nothing_is_ready(self) -> None:
        """Record that the permitted event or turn is not ready."""
        if self.mode is PAUSED and self.at is None:
            self.waiting = "turn" if self._turn_may_pass else "event" if self._events else ""

    def turn_ended(self, slow: bool) -> None:
        """Stay between two turns, where it is wished for."""
        if slow and self.stop_at_slow:
            self._be_paused("breakpoint: a slow turn")
        self._turn_may_pass = False
        if self.mode is PAUSED and not self._events:
            self._stay()

    # Holding.

    def _be_paused(self, reason: str) -> None:
        self.mode, self._reason, self.waiting = PAUSED, reason, ""
        self._events, self._turn_may_pass = 0, False
        self._timer.deadline = inf
        if self.at is not None:
            self.at = self.at._replace(reason=reason)

    def _stay(self) -> None:
        """Hold between two turns: have the outer reactor not wait for the inner one."""
        self.at, self.waiting = Position(BETWEEN, self._turn, None, "", self._reason), ""
        self.clock.hold()
        self.suspend_loop()

    def _hold(self, position: Position, seconds: float = inf) -> None:
        self.at, self.waiting = position, ""
        self.before_holding()
        self.clock.hold()
        self.suspend_loop()
        self._holding = True
        self._timer.deadline = self.outer.clock() + seconds
        self.outer.refresh(self._timer)
        while self._holding:
            self.outer.turn()
        self.at = None
        self._timer.deadline = inf
        self.clock.resume()
        self.resume_loop()

    def _release(self) -> None:
        """Let the loop go, from wherever it is held."""
        if self._holding:
            self._let_go()
        elif self.at is not None:
            self.at = None
            self.clock.resume()
            self.resume_loop()

    def _let_go(self) -> None:
        self._holding = False


class SteppedReactor(InstrumentedReactor):
    """A reactor whose turns are taken when an outer one finds that they are due.

    It never sleeps: its events have how long it *would* have slept, and did wait.
    """

    def __init__(
        self,
        control: Control,
        subscribers: Sequence[EventCallback],
        selector: selectors.BaseSelector | None = None,
        slow_turn: float = 0.05,
    ) -> None:
        super().__init__(subscribers, selector, control.clock.read)
        self.control = control
        control.before_holding = self.publish
        self._slow_turn = slow_turn
        self._waits_since = self.now
        self._would_wait: float | None = None

    @property
    def selector(self) -> selectors.BaseSelector:
        """What the outer reactor waits for."""
        return self._selector

    def earliest(self) -> float:
        """Return when the next turn is due if no handle becomes ready: -inf for now, inf for never."""
        return -inf if self._soon else self._deadlines.earliest()

    def next_deadlines(self, count: int) -> list[EventHandler]:
        """Return whose deadlines come next."""
        return self._deadlines.next(count)

    def turn(self, may_sleep: bool = False) -> None:
        """Take a turn that is due; then stay before the next one, where that is wished for."""
        super().turn(may_sleep)
        self._waits_since = self.clock()
        earliest = self.earliest()
        self._would_wait = None if earliest == inf else max(0.0, earliest - self._waits_since)
        self.control.turn_ended(self._waits_since - self.began > self._slow_turn)

    def on_selected(self, asked: float, timeout: float | None, ready: Ready) -> None:
        """Note the turn, and emit its events with the time that the outer reactor has waited."""
        self.control.turn_began(self.turns)
        super().on_selected(self._waits_since, self._would_wait, ready)

    def before_call(self, handler: EventHandler, events: int) -> None:
        """Hold the loop, where that is wished for."""
        if self.control.mode is not RUNNING:
            step = LATE if events == DEADLINE else DISPATCH
            self.control.before(step, handler, HOOKS[events])


class InspectedConnection(InstrumentedConnection):
    """A connection that can be held where it enters a state; its reactor is a ``SteppedReactor``."""

    __slots__ = ("_control",)

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        reactor = context.reactor
        assert isinstance(reactor, SteppedReactor)
        self._control = reactor.control
        super().__init__(context, sock, peer)
        if State.ACCEPTED.name in self._control.stop_at_states:
            self._control.pause_soon(f"c{self.number} enters ACCEPTED")

    def on_state_change(self, before: State, after: State) -> None:
        """Emit ENTERED, and hold the loop where that is wished for."""
        super().on_state_change(before, after)
        if self._control.stop_at_states:
            self._control.entered(self, after.name)

"""Decides which events of the loop may pass; ``stepping`` and ``main_loop`` query it.

    Pace     Mode     Passes                       Then
    RUNNING  running  every event                  -
    PAUSED   paused   nothing                      -
    EVENT    paused   one event                    PAUSED
    TURN     paused   every event of one turn      PAUSED
    SLOW     slow     each event, after a delay    -

A command from the page changes the pace; a breakpoint changes it to PAUSED. ``held_at`` is where the loop is
held: ``hold`` sets it, and a command or the end of a delay clears it. Once the server is stopping, the pace
is always RUNNING.

This module does not depend on a reactor or a clock.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from reactor.event_handler import EventHandler

# Where the loop can be held: between two turns; before the callback of a ready handle, of a ``soon`` call or
# of a deadline; and after a connection has entered a state. The values are the names of steps on the page.
BETWEEN_TURNS = "turn"
BEFORE_READY, BEFORE_SOON, BEFORE_DEADLINE = "dispatch", "soon", "late"
AFTER_STATE_CHANGE = "enter"


class Pace(Enum):
    """How the loop may proceed; see the table at the top of this file."""

    RUNNING = "running"
    PAUSED = "paused"
    EVENT = "event"
    TURN = "turn"
    SLOW = "slow"


RUNNING, PAUSED, EVENT, TURN, SLOW = Pace.RUNNING, Pace.PAUSED, Pace.EVENT, Pace.TURN, Pace.SLOW
ONE_STEP = (EVENT, TURN)


class Position(NamedTuple):
    """Where the loop is held, and why.

    ``step`` is one of the constants above, ``turn`` the number of the turn. ``handler`` is None between two
    turns. ``callback_or_state`` is the name of the callback that is about to be called, or of the state that
    was entered.
    """

    step: str
    turn: int
    handler: EventHandler | None
    callback_or_state: str
    reason: str


class Control:
    """The pace of one loop, its breakpoints, and where it is held."""

    def __init__(self) -> None:
        self.pace = RUNNING
        self.delay = 0.5  # seconds before each event in slow motion
        self.held_at: Position | None = None
        self.break_on_states: frozenset[str] = frozenset()
        self.break_on_slow_turn = False
        self.reason = ""  # why the loop is paused
        self.is_server_stopping = False
        self.waiting = ""  # the single step that waits until something is ready: "event", "turn" or ""

    @property
    def mode(self) -> str:
        """The pace as shown on the page: "running", "paused" or "slow"."""
        return PAUSED.value if self.pace in ONE_STEP else self.pace.value

    @property
    def may_hold(self) -> bool:
        """True unless the loop runs freely: not paused, not in slow motion, without breakpoints."""
        return self.pace is not RUNNING or bool(self.break_on_states) or self.break_on_slow_turn

    # Commands.

    def pause(self) -> None:
        """Hold the loop between two turns, or where it is held already."""
        self._pause("paused on request")

    def resume(self) -> None:
        """Resume the loop and keep the breakpoints."""
        self._release(RUNNING)

    def detach(self) -> None:
        """Remove all breakpoints and resume."""
        self.set_breakpoints((), slow=False)
        self.resume()

    def server_stopping(self) -> None:
        """Detach permanently: a server that is stopping must not be held."""
        self.is_server_stopping = True
        self.detach()

    def slow_motion(self, delay: float) -> None:
        """Hold the loop for ``delay`` seconds before each event."""
        self.delay = delay
        self._release(SLOW)

    def step_event(self) -> None:
        """Let one event handler be called, then pause."""
        self.reason = "after one event"
        self._release(EVENT)

    def step_turn(self) -> None:
        """Let one turn pass, then pause."""
        self.reason = "after one turn"
        self._release(TURN)

    def set_breakpoints(self, states: Iterable[str], slow: bool) -> None:
        """Pause when a connection enters one of these states, and, if ``slow``, after a slow turn."""
        self.break_on_states, self.break_on_slow_turn = frozenset(states), slow

    # Called by the reactor that is controlled.

    def hold(self, position: Position) -> None:
        """Record where the loop is held."""
        self.held_at, self.waiting = position, ""

    def on_event(self) -> None:
        """Record that an event handler is about to be called."""
        if self.pace is EVENT:
            self._enter(PAUSED)

    def on_delay_end(self) -> None:
        """Release an event that is held in slow motion."""
        if self.pace is SLOW:
            self.held_at = None

    def hit_breakpoint(self, what: str) -> None:
        """Pause at a breakpoint. Unless the caller holds the loop now, it is held before the next event."""
        self._pause(f"breakpoint: {what}")

    def on_turn_end(self, slow: bool) -> None:
        """Pause after a single step of one turn, and at the breakpoint for slow turns."""
        if slow and self.break_on_slow_turn:
            self.hit_breakpoint("a slow turn")
        elif self.pace is TURN:
            self._enter(PAUSED)

    def on_nothing_ready(self) -> None:
        """Record that a single step has no event to run yet."""
        if self.pace in ONE_STEP:
            self.waiting = self.pace.value

    def _pause(self, reason: str) -> None:
        self.reason = reason
        if self.held_at is not None:
            self.held_at = self.held_at._replace(reason=reason)
        self._enter(PAUSED)

    def _release(self, pace: Pace) -> None:
        self.held_at = None
        self._enter(pace)

    def _enter(self, pace: Pace) -> None:
        self.pace, self.waiting = RUNNING if self.is_server_stopping else pace, ""

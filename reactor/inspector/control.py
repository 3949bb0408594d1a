"""The control of a loop: it decides which events may pass; ``stepping`` and ``main_loop`` query it.

    Pace     Mode     Passes                       Then
    RUNNING  running  every event                  -
    PAUSED   paused   nothing                      -
    EVENT    paused   one event                    PAUSED
    TURN     paused   every event of one turn      PAUSED
    SLOW     slow     each event, after a delay    -

A command from the page changes the pace; a breakpoint changes it to PAUSED. ``at`` is where the loop is held:
``hold`` sets it, and a command or the end of a delay clears it. Once the server is stopping, the pace is
always RUNNING.

This module depends on no reactor and no clock.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from reactor.event_handler import EventHandler

# Where the loop can be held: between two turns, before a call of an event handler (for an event, by a
# request to be called soon, for its deadline), and where a connection has entered a state.
BETWEEN, DISPATCH, CALLED_SOON, LATE, ENTER = "turn", "dispatch", "soon", "late", "enter"


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
    """Where the loop is held, at which event handler, and why; ``handler`` is None between two turns."""

    step: str
    turn: int
    handler: EventHandler | None
    hook: str
    reason: str


class Control:
    """The pace of one loop, its breakpoints, and where it is held."""

    def __init__(self) -> None:
        self.pace = RUNNING
        self.delay = 0.5  # seconds before each event in slow motion
        self.at: Position | None = None
        self.stop_at_states: frozenset[str] = frozenset()
        self.stop_at_slow = False
        self.reason = ""  # why the loop is paused
        self.stopping = False
        self.waiting = ""  # what a paused loop waits for if nothing is ready: "event", "turn" or ""

    @property
    def mode(self) -> str:
        """The pace as shown on the page: "running", "paused" or "slow"."""
        return PAUSED.value if self.pace in ONE_STEP else self.pace.value

    @property
    def may_hold(self) -> bool:
        """True while the loop is held, or would be held by a breakpoint."""
        return self.pace is not RUNNING or bool(self.stop_at_states) or self.stop_at_slow

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

    def stop(self) -> None:
        """Detach for good: a server that is stopping must not be held."""
        self.stopping = True
        self.detach()

    def slow_motion(self, delay: float) -> None:
        """Hold the loop for ``delay`` seconds before each event."""
        self.delay = delay
        self._release(SLOW)

    def step_event(self) -> None:
        """Let one event handler be called, and hold before the next."""
        self.reason = "after one event"
        self._release(EVENT)

    def step_turn(self) -> None:
        """Let one turn pass."""
        self.reason = "after one turn"
        self._release(TURN)

    def set_breakpoints(self, states: Iterable[str], slow: bool) -> None:
        """Pause where a connection enters one of these states, and after a slow turn."""
        self.stop_at_states, self.stop_at_slow = frozenset(states), slow

    # Called by the reactor that is controlled.

    def hold(self, position: Position) -> None:
        """Record where the loop is held."""
        self.at, self.waiting = position, ""

    def event_passes(self) -> None:
        """Record that an event handler is about to be called."""
        if self.pace is EVENT:
            self._enter(PAUSED)

    def delay_ended(self) -> None:
        """Release an event that is held in slow motion."""
        if self.pace is SLOW:
            self.at = None

    def stop_at(self, what: str) -> None:
        """Pause at a breakpoint; the caller holds the loop, or it is held before the next event."""
        self._pause(f"breakpoint: {what}")

    def turn_ended(self, slow: bool) -> None:
        """Pause after a single step of one turn, and at the breakpoint for slow turns."""
        if slow and self.stop_at_slow:
            self.stop_at("a slow turn")
        elif self.pace is TURN:
            self._enter(PAUSED)

    def nothing_is_ready(self) -> None:
        """Record that a single step waits: no event is ready."""
        if self.pace in ONE_STEP:
            self.waiting = self.pace.value

    def _pause(self, reason: str) -> None:
        self.reason = reason
        if self.at is not None:
            self.at = self.at._replace(reason=reason)
        self._enter(PAUSED)

    def _release(self, pace: Pace) -> None:
        self.at = None
        self._enter(pace)

    def _enter(self, pace: Pace) -> None:
        self.pace, self.waiting = RUNNING if self.stopping else pace, ""

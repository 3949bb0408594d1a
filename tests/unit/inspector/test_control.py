"""Control: which events pass at each pace, what commands change, and the table in the docstring."""

import re
from collections.abc import Callable

import pytest

from reactor.inspector import control as module
from reactor.inspector.control import BETWEEN_TURNS, Control, Pace, Position

HELD = Position(BETWEEN_TURNS, 7, None, "", "a test")
COMMANDS: dict[str, tuple[Callable[[Control], None], Pace]] = {
    "pause": (Control.pause, Pace.PAUSED),
    "resume": (Control.resume, Pace.RUNNING),
    "event": (Control.step_event, Pace.EVENT),
    "turn": (Control.step_turn, Pace.TURN),
    "slow": (lambda control: control.slow_motion(2.0), Pace.SLOW),
}
AT_ANY_PACE = pytest.mark.parametrize("before", COMMANDS)


def at_pace(before: str) -> Control:
    control = Control()
    COMMANDS[before][0](control)
    return control


def rows() -> list[list[str]]:
    """Return the rows of the table in the docstring."""
    lines = (module.__doc__ or "").partition("Pace     Mode")[2].splitlines()[1:6]
    return [re.split(r" {2,}", line.strip()) for line in lines]


def test_the_docstring_table_lists_every_pace() -> None:
    assert [row[0] for row in rows()] == [pace.name for pace in Pace]
    for name, mode, _, then in rows():
        control = Control()
        control.pace = Pace[name]
        assert control.mode == mode
        control.on_event()
        control.on_turn_end(slow=False)
        assert control.pace.name == (name if then == "-" else then)


@AT_ANY_PACE
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_set_the_pace_and_all_but_pause_release_the_loop(before: str, command: str) -> None:
    control = at_pace(before)
    control.hold(HELD)
    COMMANDS[command][0](control)
    assert control.pace is COMMANDS[command][1]
    assert (control.held_at is None) is (command != "pause")


def test_an_event_step_ends_with_a_call_and_a_turn_step_with_the_turn() -> None:
    control = at_pace("event")
    control.on_turn_end(slow=False)
    assert control.pace.name == "EVENT"
    control.on_event()
    assert control.pace.name == "PAUSED"
    control = at_pace("turn")
    control.on_event()
    assert control.pace.name == "TURN"
    control.on_turn_end(slow=False)
    assert control.pace.name == "PAUSED"


@AT_ANY_PACE
def test_a_delay_ends_only_in_slow_motion(before: str) -> None:
    control = at_pace(before)
    control.hold(HELD)
    control.on_delay_end()
    assert (control.held_at is None) is (before == "slow")


@AT_ANY_PACE
def test_a_breakpoint_pauses_with_a_reason(before: str) -> None:
    control = at_pace(before)
    control.set_breakpoints((), slow=True)
    control.on_turn_end(slow=True)
    assert (control.pace, control.reason) == (Pace.PAUSED, "breakpoint: a slow turn")


@AT_ANY_PACE
def test_only_single_steps_are_reported_as_waiting(before: str) -> None:
    control = at_pace(before)
    control.on_nothing_ready()
    assert control.waiting == (before if before in ("event", "turn") else "")


@AT_ANY_PACE
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_holds_a_stopping_server(before: str, command: str) -> None:
    control = at_pace(before)
    control.set_breakpoints(["IDLE"], slow=True)
    control.hold(HELD)
    control.server_stopping()
    assert (control.held_at, control.may_hold) == (None, False)
    COMMANDS[command][0](control)
    assert control.pace is Pace.RUNNING


def test_pausing_a_held_loop_changes_the_reason() -> None:
    control = Control()
    control.hold(HELD)
    control.pause()
    assert control.held_at == HELD._replace(reason="paused on request")

"""The trace checker: it finds every planted fault, and none in a valid trace."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.trace import mixed_run, traced
from tests.support.trace_checker import Event, events_of, faults


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trace")
    with traced(path) as server:
        mixed_run(server)
    return (path / "trace").read_text()


def write(events: list[Event], closed: bool = True) -> str:
    """Return events in the format of a trace."""
    lines = ",\n".join(json.dumps(event) for event in events)
    return f"[\n{lines}\n]\n" if closed else f"[\n{lines},\n"


def find(events: list[Event], phase: str, name: str | None = None, last: bool = False) -> Event:
    found = [each for each in events if each["ph"] == phase and name in (None, each["name"])]
    return found[-1 if last else len(found) // 2]


def drop(phase: str, name: str | None = None, last: bool = False) -> Callable[[list[Event]], None]:
    return lambda events: events.remove(find(events, phase, name, last))


def change(phase: str, name: str | None, key: str, value: object) -> Callable[[list[Event]], None]:
    return lambda events: find(events, phase, name).update({key: value})


def move(phase: str, name: str | None, key: str, by: float) -> Callable[[list[Event]], None]:
    def moved(events: list[Event]) -> None:
        find(events, phase, name)[key] += by

    return moved


def forget(phase: str, name: str | None, key: str) -> Callable[[list[Event]], None]:
    def forgotten(events: list[Event]) -> None:
        del find(events, phase, name)[key]

    return forgotten


def swap_states(events: list[Event]) -> None:
    for event in events:
        if event["name"] in ("IDLE", "ACCEPTED"):
            event["name"] = "ACCEPTED" if event["name"] == "IDLE" else "IDLE"


def repeat_arrow(events: list[Event]) -> None:
    first, second = [event for event in events if event["ph"] == "s"][:2]
    second["id"] = first["id"]


def hide_in_a_counter(events: list[Event]) -> None:
    find(events, "C")["args"] = {"value": True}


def leave_select_late(events: list[Event]) -> None:
    begin = find(events, "s")
    select = [each for each in events[: events.index(begin)] if each["name"] == "select"][-1]
    begin["ts"] = select["ts"] + select["dur"]


def turn_twice(events: list[Event]) -> None:
    turn = find(events, "X", "turn")
    events.insert(events.index(turn), dict(turn))


def reuse_an_id(events: list[Event]) -> None:
    for event in events:
        if event.get("id") == "c2":
            event["id"] = "c1"


FAULTS: list[tuple[Callable[[list[Event]], None], str]] = [
    (forget("X", "turn", "dur"), "keys missing"),
    (forget("X", None, "name"), "keys missing"),
    (forget("b", None, "id"), "keys missing"),
    (forget("f", None, "bp"), "keys missing"),
    (forget("i", None, "s"), "keys missing"),
    (change("X", None, "duration", 1), "unknown"),
    (change("X", None, "ph", "Q"), "no phase"),
    (change("X", None, "ts", "1"), "no number"),
    (change("X", None, "dur", -1), "no number"),
    (change("X", None, "dur", 0.0001), "no whole number of nanoseconds"),
    (change("X", "handler", "name", "/secret"), "no word of ours"),
    (change("b", "IDLE", "name", "idle"), "no word of ours"),
    (change("C", "ready", "name", "other"), "no word of ours"),
    (change("f", None, "bp", "s"), "bound to the next"),
    (change("X", None, "args", []), "wrong kind"),
    (move("X", "turn", "ts", -100), "before the one before it"),
    (move("n", "answered", "ts", -100), "before the one before it"),
    (move("C", "ready", "ts", 1e9), "before the one before it"),
    (move("X", "handler", "dur", 1e6), "ends after what it is in"),
    (move("X", "select", "dur", 1e6), "ends after what it is in"),
    (move("X", "turn", "dur", 1e7), "is not where it belongs"),
    (drop("X", "turn"), "is not where it belongs"),
    (turn_twice, "is not where it belongs"),
    (change("X", "on_readable", "name", "gzip"), "is not where it belongs"),
    (drop("e", "RESPONDING"), "cannot begin"),
    (drop("b", "RESPONDING"), "ends what has not begun"),
    (drop("e", "connection"), "never ends"),
    (drop("b", "connection"), "cannot begin in"),
    (swap_states, "cannot begin in"),
    (reuse_an_id, "cannot begin in"),
    (drop("b", "IDLE"), "ends what has not begun"),
    (drop("s"), "ends twice, or before it begins"),
    (drop("f"), "never ends"),
    (repeat_arrow, "begins twice"),
    (leave_select_late, "does not begin within select"),
    (move("f", None, "ts", 0.125), "does not end where a hook begins"),
    (move("f", None, "ts", 1e6), "in no slice"),
    (change("C", None, "args", {"value": "1"}), "no number"),
    (change("C", None, "args", {"value": -1}), "no number"),
    (change("C", None, "args", {}), "no number"),
    (hide_in_a_counter, "no number"),
]


def test_a_valid_trace_has_no_fault(text: str) -> None:
    assert faults(text) == []
    assert faults(write(events_of(text))) == [], "the trace has faults before one is planted"


@pytest.mark.parametrize(("plant", "fault"), FAULTS)
def test_a_planted_fault_is_found(text: str, plant: Callable[[list[Event]], None], fault: str) -> None:
    events = events_of(text)
    plant(events)
    assert any(fault in each for each in faults(write(events))), faults(write(events))[:3]


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda text: text.replace("[\n", "", 1), "the first line is not a bracket"),
        (lambda text: text.rstrip().removesuffix("]"), "the array is not closed"),
        (lambda text: text.replace("},\n", "}\n", 1), "a comma is wrong"),
        (lambda text: text.replace("\n]", ",\n]"), "a comma is wrong"),
        (lambda text: text.replace('"ph"', "ph", 1), "no JSON"),
        (lambda text: text.replace('"ts"', '"ts', 3), "no JSON"),
        (lambda text: text.replace("},\n", "},\n7,\n", 1), "no object"),
    ],
)
def test_a_syntax_fault_is_found(text: str, plant: Callable[[str], str], fault: str) -> None:
    assert [each for each in faults(plant(text)) if fault in each]


def test_an_unclosed_trace_may_have_open_states(text: str) -> None:
    lines = text.splitlines(keepends=True)
    turns = [number for number, line in enumerate(lines) if '"turn"' in line]
    cut = "".join(lines[: turns[len(turns) // 2]])
    assert faults(cut, closed=False) == []
    assert "the array is not closed" in faults(cut)
    assert [each for each in faults(cut[:-5], closed=False) if "no JSON" in each or "comma" in each]


def test_an_unclosed_trace_may_have_open_arrows_in_its_last_turn(text: str) -> None:
    lines = text.splitlines(keepends=True)
    arrows = [number for number, line in enumerate(lines) if '"ph":"s"' in line]
    cut = lines[: arrows[len(arrows) // 2] + 1]
    assert faults("".join(cut), closed=False) == []
    del cut[next(number for number, line in enumerate(cut) if '"ph":"f"' in line)]
    assert [each for each in faults("".join(cut), closed=False) if "never ends" in each]


def test_the_checker_accepts_an_empty_trace(tmp_path: Path) -> None:
    with traced(tmp_path):
        pass
    assert faults((tmp_path / "trace").read_text()) == []

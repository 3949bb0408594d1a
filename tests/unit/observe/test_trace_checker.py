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


def make_counter_boolean(events: list[Event]) -> None:
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
    (change("X", None, "ph", "Q"), "unknown phase"),
    (change("X", None, "ts", "1"), "invalid number"),
    (change("X", None, "dur", -1), "invalid number"),
    (change("X", None, "dur", 0.0001), "not a whole number of nanoseconds"),
    (change("X", "handler", "name", "/secret"), "unknown name"),
    (change("b", "IDLE", "name", "idle"), "unknown name"),
    (change("C", "ready", "name", "other"), "unknown name"),
    (change("f", None, "bp", "s"), "bound to the next"),
    (change("X", None, "args", []), "wrong type"),
    (move("X", "turn", "ts", -100), "earlier than the previous event"),
    (move("n", "answered", "ts", -100), "earlier than the previous event"),
    (move("C", "ready", "ts", 1e9), "earlier than the previous event"),
    (move("X", "handler", "dur", 1e6), "ends after its enclosing slice"),
    (move("X", "select", "dur", 1e6), "ends after its enclosing slice"),
    (move("X", "turn", "dur", 1e7), "misplaced"),
    (drop("X", "turn"), "misplaced"),
    (turn_twice, "misplaced"),
    (change("X", "on_readable", "name", "gzip"), "misplaced"),
    (drop("e", "RESPONDING"), "cannot begin"),
    (drop("b", "RESPONDING"), "ends without a begin"),
    (drop("e", "connection"), "never ends"),
    (drop("b", "connection"), "cannot begin in"),
    (swap_states, "cannot begin in"),
    (reuse_an_id, "cannot begin in"),
    (drop("b", "IDLE"), "ends without a begin"),
    (drop("s"), "ends twice, or before it begins"),
    (drop("f"), "never ends"),
    (repeat_arrow, "begins twice"),
    (leave_select_late, "does not begin within select"),
    (move("f", None, "ts", 0.125), "does not end where a hook begins"),
    (move("f", None, "ts", 1e6), "outside any slice"),
    (change("C", None, "args", {"value": "1"}), "invalid number"),
    (change("C", None, "args", {"value": -1}), "invalid number"),
    (change("C", None, "args", {}), "invalid number"),
    (make_counter_boolean, "invalid number"),
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
        (lambda text: text.replace("[\n", "", 1), "the first line is not ["),
        (lambda text: text.rstrip().removesuffix("]"), "the array is not closed"),
        (lambda text: text.replace("},\n", "}\n", 1), "missing or extra comma"),
        (lambda text: text.replace("\n]", ",\n]"), "missing or extra comma"),
        (lambda text: text.replace('"ph"', "ph", 1), "invalid JSON"),
        (lambda text: text.replace('"ts"', '"ts', 3), "invalid JSON"),
        (lambda text: text.replace("},\n", "},\n7,\n", 1), "not an object"),
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
    assert [each for each in faults(cut[:-5], closed=False) if "invalid JSON" in each or "comma" in each]


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

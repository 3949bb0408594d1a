"""A strict checker of traces: from the text of one to a list of faults, by Google's Trace Event Format.

    1. lines     each is one event in JSON, whole; mended with "]" where it is not closed, all are an array
    2. keys      what each phase must have, and nothing that the format does not know; names are words
    3. times     a whole number of nanoseconds, and never earlier than the previous event on the same track
    4. nesting   of two slices on one thread one is in the other, or they are apart
    5. states    b and e are pairs, in the order of the state table; what happens is between both
    6. arrows    each begins once and ends once, later, and both within a slice
    7. counters  one number, at least 0

A trace whose server was killed may end in the middle of a turn; ``closed`` says that nothing may be open.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from reactor.event_handler import CALLBACKS
from reactor.server.state import State

Event = dict[str, Any]

COMMON = {"ph", "pid", "name"}
# By phase: the required keys besides the common ones, and the optional keys.
KEYS: dict[str, tuple[set[str], set[str]]] = {
    "M": ({"args"}, {"tid"}),
    "X": ({"tid", "ts", "dur"}, {"args", "cat"}),
    "s": ({"tid", "ts", "cat", "id"}, {"args"}),
    "f": ({"tid", "ts", "cat", "id", "bp"}, {"args"}),
    "b": ({"ts", "cat", "id"}, {"tid", "args"}),
    "n": ({"ts", "cat", "id"}, {"tid", "args"}),
    "e": ({"ts", "cat", "id"}, {"tid", "args"}),
    "C": ({"ts", "args"}, {"tid", "id"}),
    "i": ({"tid", "ts", "s"}, {"args", "cat"}),
}
SLICES = {"turn", "select", "handler", "gzip", *CALLBACKS}
# Which slices may directly contain which; a hook reported outside a turn, never.
AROUND: dict[str, set[str | None]] = {
    "turn": {None},
    "select": {"turn"},
    "handler": {*CALLBACKS},
}
AROUND |= {"gzip": AROUND["handler"]}
COUNTERS = {"connections", "ready", "buffered bytes", "lag in ms"}
MOMENTS = {"answered", "refused"}


FIRST = (State.RECEIVING_PROXY_HEADER, State.ACCEPTED)


def faults(text: str, closed: bool = True) -> list[str]:
    """Return what is wrong with a trace, each fault in a line."""
    found, events = _read(text, closed)
    if not found:
        found = [fault for event in events for fault in _check_keys(event)]
    if not found:  # the other checks need the keys
        for check in (_times, _nesting, _counters):
            found += check(events)
        found += [*_states(events, closed), *_arrows(events, closed)]
    return found


def events_of(text: str) -> list[Event]:
    """Read the events of a trace, closed or not."""
    whole = text.rstrip()
    events: list[Event] = json.loads(whole if whole.endswith("]") else whole.rstrip(",") + "]")
    return events


def _read(text: str, closed: bool) -> tuple[list[str], list[Event]]:
    """Read a trace line by line, and as a whole; both must give the same events."""
    first, *lines = text.splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    if first != "[":
        return ["the first line is not ["], []
    last = lines.pop() if lines and lines[-1] == "]" else None
    if closed and last is None:
        return ["the array is not closed"], []
    events = []
    for number, line in enumerate(lines):
        comma = line.endswith(",")
        if comma is (last is not None and number == len(lines) - 1):
            return [f"missing or extra comma: {line}"], []
        try:
            events.append(json.loads(line.removesuffix(",")))
        except ValueError:
            return [f"invalid JSON: {line}"], []
        if not isinstance(events[-1], dict):
            return [f"not an object: {line}"], []
    try:
        same = events_of(text) == events
    except ValueError as error:
        return [f"invalid JSON as a whole: {error}"], []
    return ([] if same else ["the lines and the whole text differ"]), events


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _check_keys(event: Event) -> Iterator[str]:
    """Yield what is wrong with the keys of one event, and with the kinds of their values."""
    phase = event.get("ph")
    if phase not in KEYS:
        yield f"unknown phase: {event}"
        return
    required, allowed = KEYS[phase]
    missing = (COMMON | required) - set(event)
    unknown = set(event) - COMMON - required - allowed
    if missing or unknown:
        yield f"keys missing {sorted(missing)}, unknown {sorted(unknown)}: {event}"
        return
    if not all(_is_number(event[key]) for key in ("pid", "tid", "ts", "dur") if key in event):
        yield f"invalid number: {event}"
        return
    if not all(float(event[key] * 1000).is_integer() for key in ("ts", "dur") if key in event):
        yield f"not a whole number of nanoseconds: {event}"
    if not isinstance(event.get("args", {}), dict) or not isinstance(event["name"], str):
        yield f"args or name has the wrong type: {event}"
    if phase == "f" and event["bp"] != "e":
        yield f"bound to the next slice: {event}"
    names = {"X": SLICES, "C": COUNTERS, "n": MOMENTS, "b": {*State.__members__, "connection"}}.get(phase)
    if names is not None and event["name"] not in names:
        yield f"unknown name: {event}"


def _track(event: Event) -> object:
    """Return the track within which times must not decrease; arrows belong to their thread."""
    phase = event["ph"]
    if phase in "bne":
        return event["cat"], event["id"]
    return ("counter", event["name"]) if phase == "C" else (event["pid"], event["tid"])


def _times(events: list[Event]) -> Iterator[str]:
    latest: dict[object, float] = {}
    for event in events:
        if "ts" in event:
            track = _track(event)
            if event["ts"] < latest.get(track, 0):
                yield f"earlier than the previous event: {event}"
            latest[track] = event["ts"]


def _end(event: Event) -> float:
    end: float = event["ts"] + event["dur"]
    return end


def _nesting(events: list[Event]) -> Iterator[str]:
    """Yield the slices that are neither within the one before them nor apart from it.

    The order in the file says which of two slices that begin at once is around the other.
    """
    stacks: dict[object, list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] != "X":
            continue
        stack = stacks[_track(event)]
        wanted = AROUND.get(event["name"], {"turn"})
        while stack and (_end(stack[-1]) <= event["ts"] and stack[-1]["name"] not in wanted):
            stack.pop()
        while stack and _end(stack[-1]) < event["ts"]:
            stack.pop()
        around = stack[-1] if stack else None
        if around is not None and _end(event) > _end(around):
            yield f"ends after its enclosing slice {around}: {event}"
        if (around and around["name"]) not in wanted:
            yield f"misplaced inside {around}: {event}"
        stack.append(event)


def _states(events: list[Event], closed: bool) -> Iterator[str]:
    """Yield where the states of a connection are unpaired, or follow in an invalid order."""
    stacks: dict[object, list[str]] = defaultdict(list)
    last: dict[object, str] = {}
    for event in events:
        phase, name = event["ph"], event["name"]
        if phase not in "bne":
            continue
        key = (event["cat"], event["id"])
        stack = stacks[key]
        if phase == "n" and len(stack) != 2:
            yield f"outside any state: {event}"
        if phase == "b":
            if name == "connection":
                fine = not stack and key not in last
            else:
                before = last.get(key)
                successors = FIRST if before is None else State[before].successors
                allowed = [each.name for each in successors]
                fine = stack == ["connection"] and name in allowed
                last[key] = name
            if not fine:
                yield f"cannot begin in {stack} after {last.get(key)}: {event}"
            stack.append(name)
        if phase == "e" and (not stack or stack.pop() != name):
            yield f"ends without a begin: {event}"
    if closed:
        yield from (f"never ends: {key} {stack}" for key, stack in stacks.items() if stack)


def _arrows(events: list[Event], closed: bool) -> Iterator[str]:
    """Yield arrows that are unpaired, or do not lead from select to a hook.

    A server that is killed while it writes a turn may leave arrows of that turn without their hooks.
    """
    slices = [event for event in events if event["ph"] == "X"]
    turns = [event["ts"] for event in slices if event["name"] == "turn"]
    begun: dict[object, Event] = {}
    ended = set()
    at = 0
    for event in events:
        if event["ph"] == "X":
            at += 1
        if event["ph"] not in "sf":
            continue
        key = (event["cat"], event["name"], event["id"])
        around = slices[at - 1] if at else None
        if around is None or not around["ts"] <= event["ts"] <= _end(around):
            yield f"outside any slice: {event}"
        elif event["ph"] == "s":
            if around["name"] != "select" or (around["dur"] and event["ts"] == _end(around)):
                yield f"does not begin within select: {event}"
        elif not around["name"].startswith("on_") or around["ts"] != event["ts"]:
            yield f"does not end where a hook begins: {event}"
        if event["ph"] == "s":
            if key in begun:
                yield f"begins twice: {event}"
            begun[key] = event
        elif key in ended or key not in begun or begun[key]["ts"] > event["ts"]:
            yield f"ends twice, or before it begins: {event}"
        else:
            ended.add(key)
    lost = [event for key, event in begun.items() if key not in ended]
    yield from (f"never ends: {event}" for event in lost if closed or event["ts"] < turns[-1])


def _counters(events: list[Event]) -> Iterator[str]:
    for event in events:
        if event["ph"] == "C" and not (
            len(event["args"]) == 1 and all(_is_number(value) for value in event["args"].values())
        ):
            yield f"invalid number: {event}"


def answers(events: list[Event]) -> list[tuple[str, int, int, int]]:
    """Return the answers of a trace as the access log has them: connection, request, status, bytes."""
    return [
        (event["id"], event["args"]["request"], event["args"]["status"], event["args"]["bytes"])
        for event in events
        if event["ph"] == "n" and event["name"] == "answered"
    ]


def logged(lines: list[str]) -> list[tuple[str, int, int, int]]:
    """Return the same of the lines of an access log."""
    found = []
    for line in lines:
        match = re.search(r'" (\d+) (\d+|-) ".*" \d+ (c\d+)#(\d+)$', line)
        assert match is not None, line
        found.append((match[3], int(match[4]), int(match[1]), int(match[2].replace("-", "0"))))
    return found

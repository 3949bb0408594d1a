"""A strict checker of traces: the Trace Event Format, and what our own are to keep beyond it.

    every event    has the keys that its phase needs, with values of their kinds; times are not negative
    slices         nest: of two on one track, one lies within the other, or they do not meet
    states         each "e" ends what the last "b" of its connection began; what follows what, the state
                   table says; time does not run backwards
    arrows         each begins within a slice of the selector and ends within a call, once, and later
    counters       are numbers

A file of a server that was killed has no last bracket, and perhaps a part of a line.
"""

import json
from collections import defaultdict
from typing import Any

from tests.harness import TABLE

# A millionth of a second is written with three more digits, which are rounded.
SLACK = 0.0021  # microseconds

_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "M": {"name": str, "args": dict},
    "X": {"name": str, "cat": str, "ts": (int, float), "dur": (int, float), "args": dict},
    "s": {"name": str, "cat": str, "id": int, "ts": (int, float)},
    "f": {"name": str, "cat": str, "id": int, "ts": (int, float), "bp": str},
    "C": {"name": str, "ts": (int, float), "args": dict},
    "b": {"name": str, "cat": str, "id": int, "ts": (int, float), "args": dict},
    "e": {"name": str, "cat": str, "id": int, "ts": (int, float), "args": dict},
    "n": {"name": str, "cat": str, "id": int, "ts": (int, float), "args": dict},
}

Trace = list[dict[str, Any]]


class FaultError(AssertionError):
    """What is wrong with a trace."""


def read(text: str) -> Trace:
    """Read a trace, whole or broken off; each line has one event, and the array is one as well."""
    lines = text.split("\n")
    if lines[0] != "[":
        raise FaultError("it does not begin with a bracket")
    broken_off = lines.pop()  # nothing, when the last line is whole
    ended = lines[-1] == "]"
    events = []
    for line in lines[1 : len(lines) - ended]:
        try:
            events.append(json.loads(line.removesuffix(",")))
        except ValueError:
            raise FaultError(f"this line is no event: {line}") from None
    whole = text if ended else text[: len(text) - len(broken_off)].rstrip("\n,") + "]"
    if json.loads(whole) != events:
        raise FaultError("the lines and the array differ")
    return events


def check(events: Trace) -> Trace:
    """Raise FaultError when anything is wrong with the events; return them."""
    for event in events:
        _check_keys(event)
    _check_slices([event for event in events if event["ph"] == "X"])
    _check_states([event for event in events if event["ph"] in "ben"])
    _check_arrows(events)
    return events


def _check_keys(event: dict[str, Any]) -> None:
    phase = event.get("ph")
    if phase not in _KEYS:
        raise FaultError(f"no phase of ours: {event}")
    for key, kind in {**_KEYS[phase], "pid": int, "tid": int}.items():
        if not isinstance(event.get(key), kind):
            raise FaultError(f"{key} is missing or of another kind: {event}")
    if event.get("ts", 0) < 0 or event.get("dur", 0) < 0:
        raise FaultError(f"a time is negative: {event}")
    if phase == "C" and not all(isinstance(each, (int, float)) for each in event["args"].values()):
        raise FaultError(f"a counter is no number: {event}")


def _check_slices(slices: Trace) -> None:
    tracks: dict[tuple[int, int], Trace] = defaultdict(list)
    for each in slices:
        tracks[each["pid"], each["tid"]].append(each)
    for track in tracks.values():
        open_until: list[tuple[float, str]] = []
        for each in sorted(track, key=lambda each: (each["ts"], -each["dur"])):
            end = each["ts"] + each["dur"]
            while open_until and open_until[-1][0] <= each["ts"] + SLACK:
                open_until.pop()
            if open_until and end > open_until[-1][0] + SLACK:
                raise FaultError(f"{each} ends after the {open_until[-1][1]} in which it began")
            open_until.append((end, each["name"]))


def _check_states(events: Trace) -> None:
    last: dict[int, tuple[float, str, str]] = {}  # of a connection: when, its open state, the one before
    for event in events:
        number, name, when = event["id"], event["name"], event["ts"]
        before, state, left = last.get(number, (0.0, "", ""))
        if when < before:
            raise FaultError(f"time runs backwards: {event}")
        if event["ph"] == "b":
            follows = TABLE[left].then if left else ("ACCEPTED",)
            if state or name not in follows:
                raise FaultError(f"{name} does not follow {state or left or 'nothing'}: {event}")
            last[number] = when, name, left
        elif event["ph"] == "e":
            if name != state:
                raise FaultError(f"{name} ends, and {state or 'nothing'} was open: {event}")
            last[number] = when, "", name
        else:
            last[number] = when, state, left


def _check_arrows(events: Trace) -> None:
    selects = [(each["ts"], each["ts"] + each["dur"]) for each in events if each["name"] == "select"]
    calls = {round(each["ts"], 3) for each in events if each["ph"] == "X" and each["name"].startswith("on_")}
    begun: dict[int, float] = {}
    for event in events:
        if event["ph"] == "s":
            if event["id"] in begun:
                raise FaultError(f"an arrow begins twice: {event}")
            begun[event["id"]] = event["ts"]
        elif event["ph"] == "f":
            if event["ts"] < begun.pop(event["id"], float("inf")) - SLACK:
                raise FaultError(f"an arrow ends before it begins: {event}")
            if round(event["ts"], 3) not in calls:
                raise FaultError(f"an arrow ends in no call: {event}")
    if len(begun) > 0:
        raise FaultError(f"arrows without an end: {begun}")
    starts = sorted(each["ts"] for each in events if each["ph"] == "s")
    place = 0
    selects.sort()
    for start in starts:
        while place < len(selects) and selects[place][1] + SLACK < start:
            place += 1
        if place == len(selects) or selects[place][0] - SLACK > start:
            raise FaultError(f"an arrow begins outside of the selector, at {start}")

"""Faults planted in ranges, preconditions and dates, to show that the fuzzer finds them."""

from collections.abc import Callable, Iterable
from functools import partial
from random import Random

import pytest

from reactor.http11 import conditional, dates, grammar, ranges
from tests.fuzz import campaign as campaigns
from tests.fuzz.conditions import fault_of_date, read_lines, valid_conditions, valid_range
from tests.fuzz.minimise import minimise
from tests.fuzz.test_fuzz import assert_finding


def _numbers_of_any_length(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ranges, "_number", int)


def _parts_that_are_not_merged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ranges, "_merge", list[range])


def _parts_beyond_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ranges, "_part", lambda first, last, size: range(int(first or 0), int(last or 0) + 1))


def _parts_in_another_order(patch: pytest.MonkeyPatch) -> None:
    merge: Callable[[Iterable[range]], list[range]] = ranges._merge
    patch.setattr(ranges, "_merge", lambda parts: merge(parts)[::-1])


def _a_case_sensitive_unit(patch: pytest.MonkeyPatch) -> None:
    match = grammar.match_byte_ranges
    patch.setattr(ranges, "match_byte_ranges", lambda value: match(value) if value[:1] == "b" else None)


def _a_list_that_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditional, "is_entity_tags", lambda value: True)
    patch.setattr(conditional, "find_entity_tags", lambda value: value.split(", "))


def _a_malformed_list_that_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditional, "_unchanged", lambda headers, current, now: True)


def _a_missing_validator(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditional, "_floor", lambda modified: int(modified))


def _a_range_of_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.fuzz.conditions.range_applies", lambda *_: True)


def _a_date_in_local_time(patch: pytest.MonkeyPatch) -> None:
    whole = dates._floor
    patch.setattr(dates, "_floor", lambda seconds: whole(seconds) + 3600)


def _days_counted_twice(patch: pytest.MonkeyPatch) -> None:
    read = dates._seconds
    patch.setattr(dates, "_seconds", lambda match, year: (read(match, year) or 0) + int(match["day"]))


@pytest.mark.parametrize(
    ("surface", "plant", "words"),
    [
        ("ranges", _numbers_of_any_length, "raises ValueError"),
        ("ranges", _parts_that_are_not_merged, "overlap or touch"),
        ("ranges", _parts_beyond_the_end, "not inside"),
        ("ranges", _parts_in_another_order, "round trip"),
        ("ranges", _a_case_sensitive_unit, "case, empty members"),
        ("conditions", _a_list_that_is_not_checked, "although If-None-Match matches"),
        ("conditions", _a_malformed_list_that_is_ignored, "although If-Match does not match"),
        ("conditions", _a_missing_validator, "raises TypeError"),
        ("conditions", _a_range_of_anything, "although If-Range does not match"),
        ("conditions", _a_date_in_local_time, "round trip"),
        ("conditions", _days_counted_twice, "round trip"),
    ],
)
def test_a_planted_fault_is_found(
    surface: str, plant: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    # Findings need not be minimised completely here.
    monkeypatch.setattr(campaigns, "minimise", partial(minimise, steps=100))
    assert_finding(surface, words)


def test_valid_ranges_are_accepted() -> None:
    for case in range(300):
        value = valid_range(Random(case)).decode("ascii")
        assert ranges.read_ranges(value, 1000) is not None, value


def test_valid_conditions_are_accepted() -> None:
    for case in range(300):
        headers = read_lines(valid_conditions(Random(case)))
        assert conditional.is_conditional(headers)
        for name, value in headers.items():
            if name.endswith("since"):
                assert dates.read_date(value, 0) is not None
            elif name != "if-range" and value != "*":
                assert grammar.is_entity_tags(value)


def test_an_invalid_date_is_none_and_not_a_fault() -> None:
    assert fault_of_date("yesterday") is None
    assert fault_of_date("Sun, 06 Nov 1994 08:49:37 GMT") is None

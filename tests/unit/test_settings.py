"""Settings: the published defaults, and values that are out of range."""

import re
from dataclasses import Field, FrozenInstanceError, fields
from math import inf, nan
from typing import Any

import pytest

from reactor.settings import Settings

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

LIMITS = [each for each in fields(Settings) if each.name != "date_header"]
every_limit = pytest.mark.parametrize("each", LIMITS, ids=lambda each: each.name)


def with_limit(limit: Field[Any], value: float) -> Settings:
    values: dict[str, Any] = {limit.name: value}
    return Settings(**values)


DEFAULTS = {
    "max_request_line": 8190,
    "max_field_line": 8190,
    "max_fields": 100,
    "max_head": 32 * KIB,
    "max_body": GIB,
    "min_free_space": 64 * MIB,
    "first_octet_timeout": 20,
    "head_timeout": 20,
    "content_timeout": 20,
    "min_rate": 500,
    "stall_timeout": 60,
    "keep_alive_timeout": 75,
    "shutdown_delay": 0,
    "shutdown_timeout": 8,
    "high_water": 256 * KIB,
    "low_water": 64 * KIB,
    "turn_read": 64 * KIB,
    "turn_read_file": 256 * KIB,
    "turn_send": 256 * KIB,
    "turn_compress": 64 * KIB,
    "turn_accepts": 64,
    "turn_requests": 64,
    "max_connections": 0,
    "watchdog": 0,
    "date_header": True,
}

# Settings for which 0 is valid: no body, no space kept free, no minimum rate, no delay, no watchdog.
ZERO_IS_A_VALUE = {
    "max_body",
    "min_free_space",
    "min_rate",
    "shutdown_delay",
    "shutdown_timeout",
    "low_water",
    "max_connections",
    "max_chunk_extensions",
    "watchdog",
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items(), ids=list(DEFAULTS))
def test_the_default_is_the_documented_one(name: str, value: float) -> None:
    assert getattr(Settings(), name) == value


@every_limit
def test_a_limit_has_a_unit_a_group_and_a_reason(each: Field[Any]) -> None:
    assert each.metadata["unit"] in ("bytes", "bytes/s", "lines", "connections", "requests", "seconds")
    assert each.metadata["group"] in ("limits", "timeouts", "advanced", "logging")
    assert len(each.metadata["help"]) > 10


@every_limit
def test_a_deadline_is_in_seconds(each: Field[Any]) -> None:
    is_duration = each.name.endswith(("_timeout", "_delay")) or each.name in ("slow_turn", "watchdog")
    assert is_duration == (each.metadata["unit"] == "seconds")


@pytest.mark.parametrize("value", [-1, -0.001, nan, inf, -inf], ids=str)
@every_limit
def test_a_value_out_of_range_is_a_value_error(each: Field[Any], value: float) -> None:
    with pytest.raises(ValueError, match=each.name):
        with_limit(each, value)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("max_body", "64K", "int"),
        ("max_body", None, "int"),
        ("turn_read", 1.5, "int"),
        ("head_timeout", "20", "float"),
        ("date_header", "no", "bool"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object, kind: str) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=re.escape(f"invalid {name}: {value!r} (must be of type {kind})")):
        Settings(**values)


@every_limit
def test_zero_is_refused_where_it_makes_no_sense(each: Field[Any]) -> None:
    if each.name in ZERO_IS_A_VALUE:
        assert getattr(with_limit(each, 0), each.name) == 0
    else:
        with pytest.raises(ValueError, match=each.name):
            with_limit(each, 0)


@every_limit
def test_a_too_large_number_is_refused(each: Field[Any]) -> None:
    if each.name != "low_water":  # which must be less than high_water
        assert getattr(with_limit(each, 2**53 - 1), each.name) == 2**53 - 1
    for value in (2**53, 2**63):
        with pytest.raises(ValueError, match=each.name):
            with_limit(each, value)


@pytest.mark.parametrize(("low", "high"), [(10, 10), (11, 10), (1 << 18, 1 << 18)])
def test_low_water_is_below_high_water(low: int, high: int) -> None:
    with pytest.raises(ValueError, match=f"low_water: {low} .must be less than high_water, {high}"):
        Settings(low_water=low, high_water=high)


def test_low_water_just_below_high_water_is_accepted() -> None:
    assert Settings(low_water=9, high_water=10).low_water == 9


def test_settings_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().max_head = 1  # type: ignore[misc]

"""Preconditions, in the order of RFC 9110, 13.2.2: all combinations against a second reading of it."""

from itertools import product

import pytest

from reactor.http11.dates import format_date
from reactor.http11.headers import Headers
from reactor.http11.preconditions import CONDITIONAL, Validators, evaluate, range_applies

NOW = 1_700_000_000.0
MODIFIED = NOW - 3600.5
CURRENT = Validators('"current"', MODIFIED)
BEFORE, THEN, AFTER = (format_date(MODIFIED + seconds) for seconds in (-1, 0, 1))


def headers(**fields: str | None) -> Headers:
    """Make headers of keyword arguments: an underscore is a hyphen, None is no field."""
    return Headers(
        [(n.replace("_", "-"), v, n.replace("_", "-")) for n, v in fields.items() if v is not None]
    )


# Each value with what it says of CURRENT: True, False, or None where it is to be ignored.
IF_MATCH = {
    None: None,
    "*": True,
    '"current"': True,
    '"x", "current"': True,
    '"x"': False,
    'W/"current"': False,
}
IF_UNMODIFIED = {None: None, BEFORE: False, THEN: True, AFTER: True, "never": None}
IF_NONE_MATCH = {
    None: None,
    "*": False,
    '"current"': False,
    'W/"current"': False,
    '"x"': True,
    '"x", W/"y"': True,
}
IF_MODIFIED = {None: None, BEFORE: True, THEN: False, AFTER: False, "never": None}


def second_reading(method: str, match, unmodified, none_match, modified, exists: bool) -> int | None:
    """Follow the steps of 13.2.2 one by one; where nothing is there, tags match nothing."""
    safe = method in ("GET", "HEAD")
    if match is not None:  # 1
        if not (IF_MATCH[match] and exists):
            return 412
    elif exists and IF_UNMODIFIED[unmodified] is False:  # 2
        return 412
    if none_match is not None:  # 3
        if IF_NONE_MATCH[none_match] is False and exists:
            return 304 if safe else 412
    elif safe and exists and IF_MODIFIED[modified] is False:  # 4
        return 304
    return None  # 5 and 6


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_all_combinations_are_evaluated_in_the_order_of_the_rfc(method: str, exists: bool) -> None:
    seen = set()
    for match, unmodified, none_match, modified in product(
        IF_MATCH, IF_UNMODIFIED, IF_NONE_MATCH, IF_MODIFIED
    ):
        fields = headers(
            if_match=match,
            if_unmodified_since=unmodified,
            if_none_match=none_match,
            if_modified_since=modified,
        )
        found = evaluate(method, fields, CURRENT if exists else None, NOW)
        assert found == second_reading(method, match, unmodified, none_match, modified, exists), fields
        seen.add(found)
    assert seen == ({None, 304, 412} if exists and method in ("GET", "HEAD") else {None, 412})


@pytest.mark.parametrize("value", ["never", "Sun, 06 Nov 1994 08:49:37"])
def test_a_date_that_is_none_is_ignored(value: str) -> None:
    for name in ("if_modified_since", "if_unmodified_since"):
        assert evaluate("GET", headers(**{name: value}), CURRENT, NOW) is None


def test_what_was_modified_when_nobody_knows_ignores_dates() -> None:
    unknown = Validators('"current"', None)
    for name in ("if_modified_since", "if_unmodified_since"):
        for value in (BEFORE, AFTER):
            assert evaluate("GET", headers(**{name: value}), unknown, NOW) is None


def test_if_modified_since_means_nothing_to_other_methods() -> None:
    assert evaluate("PUT", headers(if_modified_since=AFTER), CURRENT, NOW) is None


def test_a_weak_tag_is_never_strongly_the_same() -> None:
    weak = Validators('W/"current"', MODIFIED)
    for value in ('W/"current"', '"current"'):
        assert evaluate("PUT", headers(if_match=value), weak, NOW) == 412
        assert evaluate("GET", headers(if_none_match=value), weak, NOW) == 304
    assert evaluate("PUT", headers(if_match="*"), weak, NOW) is None


@pytest.mark.parametrize(
    ("listed", "tag", "found"),
    [
        ('"a,b"', '"a,b"', True),
        ('"a", "b,c" ,"d"', '"b,c"', True),
        ('"a,b"', '"a"', False),
        (',, "a" ,,', '"a"', True),
        ('"\\"', '"\\"', True),
        ('""', '""', True),
        ('"\xe4"', '"\xe4"', True),
    ],
)
def test_a_tag_may_hold_what_separates_tags(listed: str, tag: str, found: bool) -> None:
    current = Validators(tag, None)
    assert evaluate("GET", headers(if_none_match=listed), current, NOW) == (304 if found else None)
    assert evaluate("PUT", headers(if_match=listed), current, NOW) == (None if found else 412)


@pytest.mark.parametrize(
    "value", ["current", '"current', 'w/"current"', '"current" "x"', "", '"a b"', "*, *"]
)
def test_a_malformed_list_lets_nothing_be_lost(value: str) -> None:
    assert evaluate("PUT", headers(if_match=value), CURRENT, NOW) == 412
    assert evaluate("PUT", headers(if_none_match=value), CURRENT, NOW) == 412
    assert evaluate("GET", headers(if_none_match=value), CURRENT, NOW) is None


def test_several_lines_are_one_list() -> None:
    lines = [("if-none-match", '"x"', "If-None-Match"), ("if-none-match", '"current"', "If-None-Match")]
    assert evaluate("GET", Headers(lines), CURRENT, NOW) == 304


def test_the_fields_that_make_a_request_conditional_are_known() -> None:
    assert {
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
    } == CONDITIONAL


# If-Range.


@pytest.mark.parametrize(
    ("value", "applies"),
    [
        (None, True),
        ('"current"', True),
        ('W/"current"', False),
        ('"x"', False),
        ('"current", "x"', False),
        (THEN, True),
        (BEFORE, False),
        (AFTER, False),
        ("never", False),
        ("*", False),
    ],
)
def test_if_range_is_strong_and_exact(value: str | None, applies: bool) -> None:
    assert range_applies(headers(if_range=value), CURRENT, NOW) is applies


def test_a_date_is_a_strong_validator_only_when_its_second_is_over() -> None:
    for age, applies in ((0, False), (0.9, False), (1.0, True)):
        current = Validators("", NOW - age)
        fields = headers(if_range=format_date(NOW - age))
        assert range_applies(fields, current, NOW) is applies
    assert not range_applies(headers(if_range=THEN), Validators('"current"', None), NOW)


def test_a_weak_tag_of_ours_never_lets_a_range_apply() -> None:
    assert not range_applies(headers(if_range='W/"x"'), Validators('W/"x"', None), NOW)

"""Preconditions: every combination of headers, checked against the steps of RFC 9110, 13.2.2."""

import itertools
from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest

from reactor.http11.conditional import CONDITIONAL, Validators, evaluate, is_conditional, range_applies
from reactor.http11.dates import format_date
from reactor.http11.headers import Headers, read_header_line

MODIFIED = 784111777
LAST_MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
NOW = MODIFIED + 3600.0
CURRENT = Validators('"xyzzy"', MODIFIED)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "BREW")


def headers(*lines: str) -> Headers:
    return Headers(read_header_line(line.encode("latin-1")) for line in lines)


# The cross product: each header is absent, malformed, or has one of a few values.

TAGS = (None, '"xyzzy"', 'W/"xyzzy"', '"other"', '"other", "xyzzy"', "*", "xyzzy")
DATES = (None, EARLIER, LAST_MODIFIED, LATER, "yesterday")
IF_RANGES = (None, '"xyzzy"', '"other"', "yesterday")
STATES: dict[str, Validators | None] = {
    "nothing": None,
    "strong": CURRENT,
    "weak": Validators('W/"xyzzy"', MODIFIED),
    "without an entity tag": Validators("", MODIFIED),
    "without a date": Validators('"xyzzy"', None),
    "without validators": Validators("", None),
}


class Oracle:
    """The steps of the RFC, on names of values instead of parsed values."""

    def __init__(self, method: str, fields: Mapping[str, str], current: Validators | None) -> None:
        self.method = method
        self.fields = fields
        self.current = current

    def status(self) -> int | None:
        return self.step_1()

    def step_1(self) -> int | None:
        if "If-Match" in self.fields:
            return self.step_3() if self.if_match() else 412
        return self.step_2()

    def step_2(self) -> int | None:
        if self.is_valid_date("If-Unmodified-Since") and not self.age("If-Unmodified-Since") >= 0:
            return 412
        return self.step_3()

    def step_3(self) -> int | None:
        if "If-None-Match" in self.fields:
            if self.if_none_match():
                return None  # step 5
            return 304 if self.method in ("GET", "HEAD") else 412
        return self.step_4()

    def step_4(self) -> int | None:
        reads = self.method in ("GET", "HEAD")
        if reads and self.is_valid_date("If-Modified-Since") and self.age("If-Modified-Since") >= 0:
            return 304
        return None  # step 5

    def if_match(self) -> bool:
        if self.current is None or self.fields["If-Match"] == "xyzzy":
            return False
        if self.fields["If-Match"] == "*":
            return True
        strong = ('"xyzzy"', '"other", "xyzzy"')
        return self.current.etag == '"xyzzy"' and self.fields["If-Match"] in strong

    def if_none_match(self) -> bool:
        if self.fields["If-None-Match"] == "xyzzy":
            return self.method in ("GET", "HEAD")
        if self.current is None:
            return True
        if self.fields["If-None-Match"] == "*":
            return False
        return self.current.etag == "" or self.fields["If-None-Match"] == '"other"'

    def is_valid_date(self, name: str) -> bool:
        known = self.current is not None and self.current.modified is not None
        return known and self.fields.get(name, "yesterday") != "yesterday"

    def age(self, name: str) -> int:
        """Return how many seconds the date is later than the last modification."""
        return {EARLIER: -1, LAST_MODIFIED: 0, LATER: 1}[self.fields[name]]


NAMES = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", METHODS)
def test_every_combination_follows_the_steps_of_the_rfc(method: str, state: str) -> None:
    current = STATES[state]
    answers = Counter[int | None]()
    for values in itertools.product(TAGS, TAGS, DATES, DATES, IF_RANGES):
        fields = {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
        lines = headers(*(f"{name}: {value}" for name, value in fields.items()))
        answer = evaluate(method, lines, current, NOW)
        assert answer == Oracle(method, fields, current).status(), fields
        assert is_conditional(lines) == bool(fields)
        answers[answer] += 1
    reads = method in ("GET", "HEAD")
    expected = {None, 412} if not reads or current is None else {None, 304, 412}
    assert set(answers) == expected
    assert answers.total() == 4900


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
def test_a_method_without_a_representation_has_no_conditions(method: str) -> None:
    for values in itertools.product(TAGS, TAGS, DATES, DATES):
        fields = {name: value for name, value in zip(NAMES, values, strict=False) if value is not None}
        lines = headers(*(f"{name}: {value}" for name, value in fields.items()))
        assert evaluate(method, lines, CURRENT, NOW) is None
        assert evaluate(method, lines, None, NOW) is None


# Which headers are conditions.


def test_conditional_fields_are_those_of_rfc_9110_section_13() -> None:
    assert {name.lower() for name in NAMES} == CONDITIONAL


@pytest.mark.parametrize("name", NAMES)
def test_any_conditional_field_makes_a_request_conditional(name: str) -> None:
    for written in (name, name.lower(), name.upper()):
        assert is_conditional(headers("Host: x", f"{written}: *"))


@pytest.mark.parametrize("lines", [(), ("Host: x",), ("Range: bytes=0-1", "If: a", "If-Matches: *")])
def test_other_fields_do_not_make_a_request_conditional(lines: tuple[str, ...]) -> None:
    assert not is_conditional(headers(*lines))
    assert evaluate("GET", headers(*lines), CURRENT, NOW) is None
    assert range_applies(headers(*lines), CURRENT, NOW)


# Entity tags: comparison, and parsing of lists.

# From RFC 9110, 8.8.3.2: two tags, and the results of strong and weak comparison.
COMPARISONS = [
    ('W/"1"', 'W/"1"', False, True),
    ('W/"1"', 'W/"2"', False, False),
    ('W/"1"', '"1"', False, True),
    ('"1"', 'W/"1"', False, True),
    ('"1"', '"1"', True, True),
    ('"1"', '"2"', False, False),
    ('""', '""', True, True),
    ('W/""', '""', False, True),
    ('""', "", False, False),
    ('W/""', "", False, False),
    ('"a"', '"A"', False, False),
    ('"W/"', '"W/"', True, True),
    ('"W/1"', '"1"', False, False),
]


@pytest.mark.parametrize(("tag", "etag", "strongly", "weakly"), COMPARISONS)
def test_if_match_and_if_range_compare_strongly_and_if_none_match_weakly(
    tag: str, etag: str, strongly: bool, weakly: bool
) -> None:
    current = Validators(etag, None)
    assert evaluate("PUT", headers(f"If-Match: {tag}"), current, NOW) == (None if strongly else 412)
    assert evaluate("GET", headers(f"If-Match: {tag}"), current, NOW) == (None if strongly else 412)
    assert evaluate("GET", headers(f"If-None-Match: {tag}"), current, NOW) == (304 if weakly else None)
    assert evaluate("PUT", headers(f"If-None-Match: {tag}"), current, NOW) == (412 if weakly else None)
    assert range_applies(headers(f"If-Range: {tag}"), current, NOW) == strongly


# Lists, as in the header, and their tags.
LISTS: dict[tuple[str, ...], list[str]] = {
    ("",): [],
    (",",): [],
    (", ,\t,",): [],
    ('"xyzzy"',): ['"xyzzy"'],
    ('"xyzzy", "r2d2xxxx", "c3piozzzz"',): ['"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"'],
    ('W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"',): ['W/"xyzzy"', 'W/"r2d2xxxx"', 'W/"c3piozzzz"'],
    ('"xyzzy","r2d2xxxx"',): ['"xyzzy"', '"r2d2xxxx"'],
    (',, "a" \t,\t "b" ,, ,"c",',): ['"a"', '"b"', '"c"'],
    ('"a"', '"b"'): ['"a"', '"b"'],
    ('"a"', "", 'W/"b"', ""): ['"a"', 'W/"b"'],
    # Anything may be between the quotes of a tag.
    ('""',): ['""'],
    ('"a,b"',): ['"a,b"'],
    ('"a,b", "c"',): ['"a,b"', '"c"'],
    ('","',): ['","'],
    ('"*"',): ['"*"'],
    ('"W/"',): ['"W/"'],
    ('"\\"',): ['"\\"'],
    ('"a\\", "b"',): ['"a\\"', '"b"'],
    ('"\\\\"',): ['"\\\\"'],
    ('"!#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~"',): ['"!#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~"'],
    ('"\xe9\x80\xff"',): ['"\xe9\x80\xff"'],
}
PROBES = sorted({tag for tags in LISTS.values() for tag in tags} | {'"other"', '"b', '"a', '"a"b"'})


@pytest.mark.parametrize("lines", LISTS, ids=ascii)
def test_a_list_of_tags_is_parsed(lines: tuple[str, ...]) -> None:
    strong = [tag for tag in LISTS[lines] if not tag.startswith("W/")]
    opaque = [tag.removeprefix("W/") for tag in LISTS[lines]]
    for probe in PROBES:
        current = Validators(probe, None)
        if_match = headers(*(f"If-Match: {line}" for line in lines))
        assert evaluate("PUT", if_match, current, NOW) == (None if probe in strong else 412)
        if_none_match = headers(*(f"If-None-Match: {line}" for line in lines))
        matches = probe.removeprefix("W/") in opaque
        assert evaluate("GET", if_none_match, current, NOW) == (304 if matches else None)
        assert evaluate("PUT", if_none_match, current, NOW) == (412 if matches else None)


MALFORMED = [
    "xyzzy",
    '"xyzzy',
    'xyzzy"',
    "'xyzzy'",
    'w/"xyzzy"',
    'W"xyzzy"',
    'W/xyzzy"',
    'W/ "xyzzy"',
    'W/W/"xyzzy"',
    "W/",
    "W/*",
    '"',
    '"""',
    '"xyzzy" "xyzzy"',
    '"xyzzy""xyzzy"',
    '"xyzzy";"xyzzy"',
    '"xy zzy"',
    '"xy\tzzy"',
    '"xyz"zy"',
    '"xyz\\"zy"',
    '"xyzzy", xyzzy',
    'xyzzy, "xyzzy"',
    '"xyzzy", "',
    '*, "xyzzy"',
    '"xyzzy", *',
    "*, *",
    "*,",
    ",*",
    "**",
    "\xa0",
    '"xyzzy"\xa0',
]


@pytest.mark.parametrize("value", MALFORMED, ids=ascii)
@pytest.mark.parametrize("etag", ['"xyzzy"', 'W/"xyzzy"', ""])
def test_a_malformed_list_forbids_changes_and_allows_reads(value: str, etag: str) -> None:
    for current in (Validators(etag, MODIFIED), None):
        for method in METHODS:
            assert evaluate(method, headers(f"If-Match: {value}"), current, NOW) == 412
            expected = None if method in ("GET", "HEAD") else 412
            assert evaluate(method, headers(f"If-None-Match: {value}"), current, NOW) == expected


def test_a_repeated_asterisk_is_malformed() -> None:
    assert evaluate("PUT", headers("If-Match: *", "If-Match: *"), CURRENT, NOW) == 412
    assert evaluate("PUT", headers("If-None-Match: *", "If-None-Match: *"), None, NOW) == 412


# Dates.


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_dates_compare_in_whole_seconds(part: float) -> None:
    current = Validators("", MODIFIED + part)
    for since, status in ((EARLIER, None), (LAST_MODIFIED, 304), (LATER, 304)):
        assert evaluate("GET", headers(f"If-Modified-Since: {since}"), current, NOW) == status
    for since, status in ((EARLIER, 412), (LAST_MODIFIED, None), (LATER, None)):
        assert evaluate("PUT", headers(f"If-Unmodified-Since: {since}"), current, NOW) == status
    assert range_applies(headers(f"If-Range: {LAST_MODIFIED}"), current, NOW)
    assert not range_applies(headers(f"If-Range: {LATER}"), current, NOW)


@pytest.mark.parametrize(
    "date", [LAST_MODIFIED, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_all_three_date_formats_are_accepted(date: str) -> None:
    earlier = Validators("", MODIFIED + 1)
    assert evaluate("GET", headers(f"If-Modified-Since: {date}"), CURRENT, NOW) == 304
    assert evaluate("GET", headers(f"If-Modified-Since: {date}"), earlier, NOW) is None
    assert evaluate("GET", headers(f"If-Unmodified-Since: {date}"), CURRENT, NOW) is None
    assert evaluate("GET", headers(f"If-Unmodified-Since: {date}"), earlier, NOW) == 412
    assert range_applies(headers(f"If-Range: {date}"), CURRENT, NOW)
    assert not range_applies(headers(f"If-Range: {date}"), earlier, NOW)


INVALID_DATES = ["", "0", "-1", "yesterday", LAST_MODIFIED.lower(), LAST_MODIFIED[:-4], '"xyzzy"', "*"]


@pytest.mark.parametrize("date", INVALID_DATES)
@pytest.mark.parametrize("method", METHODS)
def test_an_invalid_date_is_ignored(method: str, date: str) -> None:
    for modified in (0, MODIFIED, NOW):
        current = Validators("", modified)
        assert evaluate(method, headers(f"If-Modified-Since: {date}"), current, NOW) is None
        assert evaluate(method, headers(f"If-Unmodified-Since: {date}"), current, NOW) is None


def test_a_repeated_date_is_ignored() -> None:
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        for other in (EARLIER, LAST_MODIFIED, LATER):
            lines = headers(f"{name}: {LAST_MODIFIED}", f"{name}: {other}")
            assert evaluate("GET", lines, CURRENT, NOW) is None


# If-Range.


@pytest.mark.parametrize(
    "value",
    ["", "*", "xyzzy", '"xyzzy', 'w/"xyzzy"', '"xyzzy", "xyzzy"', '"xyzzy",', "yesterday", EARLIER, LATER],
)
def test_a_false_if_range_disables_the_range(value: str) -> None:
    assert not range_applies(headers(f"If-Range: {value}"), CURRENT, NOW)


def test_an_if_range_in_two_lines_is_malformed() -> None:
    assert not range_applies(headers('If-Range: "xyzzy"', 'If-Range: "xyzzy"'), CURRENT, NOW)


@pytest.mark.parametrize(
    ("modified", "age", "strong"),
    [
        (MODIFIED, -1.0, False),
        (MODIFIED, 0.0, False),
        (MODIFIED, 0.999, False),
        (MODIFIED, 1.0, True),
        (MODIFIED, 60.0, True),
        (MODIFIED + 0.5, 0.5, False),
        (MODIFIED + 0.5, 1.0, True),
    ],
)
def test_a_date_is_strong_after_its_second(modified: float, age: float, strong: bool) -> None:
    lines = headers(f"If-Range: {format_date(modified)}")
    assert range_applies(lines, Validators("", modified), modified + age) == strong


def test_a_date_never_matches_without_last_modified() -> None:
    for date in (LAST_MODIFIED, format_date(0)):
        assert not range_applies(headers(f"If-Range: {date}"), Validators('"xyzzy"', None), NOW)


# Properties.


def test_field_order_and_case_do_not_matter() -> None:
    random = Random(1)
    for _ in range(1000):
        values = [random.choice(each) for each in (TAGS, TAGS, DATES, DATES, IF_RANGES)]
        lines = [f"{name}: {value}" for name, value in zip(NAMES, values, strict=True) if value]
        method, current = random.choice(METHODS), random.choice(list(STATES.values()))
        answer = evaluate(method, headers(*lines), current, NOW)
        random.shuffle(lines)
        names = (line.partition(":") for line in lines)
        others = [random.choice((str.lower, str.upper))(name) + ":" + value for name, _, value in names]
        assert evaluate(method, headers(*others), current, NOW) == answer


@pytest.mark.parametrize(
    "value",
    [
        "," * 200_000,
        " \t" * 100_000 + "x",
        ", \t" * 70_000 + "x",
        '"",' * 70_000 + "x",
        '"' + "a" * 200_000,
        '"a" ' * 50_000,
        "W/" * 100_000,
        '"' * 200_000 + "x",
    ],
    ids=lambda value: ascii(value[:6]),
)
def test_a_long_malformed_list_is_rejected_in_linear_time(value: str) -> None:
    # Quadratic backtracking would take minutes here, exponential backtracking would never end.
    lines = Headers([("if-match", value, "If-Match"), ("if-range", value, "If-Range")])
    assert evaluate("PUT", lines, CURRENT, NOW) == 412
    assert not range_applies(lines, CURRENT, NOW)

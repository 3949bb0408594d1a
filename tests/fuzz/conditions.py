"""Fuzzing of conditional requests and ranges: how inputs are made, and how one is checked.

    ranges        the value of Range, for content of several sizes
    conditions    a few field lines with entity tags and dates, for several methods and states

The checks say what must hold of any answer, without reading the value as the server does.
"""

import itertools
import math
from random import Random

from reactor.http11.conditional import CONDITIONAL, Validators, evaluate, range_applies
from reactor.http11.dates import format_date, read_date
from reactor.http11.errors import ProtocolError
from reactor.http11.headers import Headers, read_header_line
from reactor.http11.ranges import (
    MAX_RANGES,
    content_range,
    read_ranges,
)
from tests.fuzz.mutate import mutate

SIZES = (0, 1, 10, 1000, 2**40)
HUGE = b"9" * 5000  # digits: more than int() takes
MANY = b"0-0," * 70
NUMBERS = (b"0", b"1", b"5", b"9", b"10", b"499", b"999", b"007", b"99999999999999999999")
SPECS = (b"%b-%b", b"%b-%b", b"%b-", b"-%b")
RANGE_TOKENS = (
    b"-",
    b"--",
    b",",
    b", ",
    b"bytes=",
    b"0-",
    b"-0",
    b"=",
    b" ",
    b"\t",
    b"\xb2",
    HUGE,
    b"0-0," * 70,
)

MODIFIED = 784111777.25
NOW = MODIFIED + 3600
STATES = (None, Validators('"xyzzy"', MODIFIED), Validators('W/"xyzzy"', MODIFIED), Validators("", None))
TAGS = (b'"xyzzy"', b'W/"xyzzy"', b'"other"', b'""', b'"a,b"', b'"a\\"', b'"\xe9"', b'W/""')
DATES = (
    b"Sun, 06 Nov 1994 08:49:36 GMT",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:38 1994",
    b"Sat, 31 Dec 2016 23:59:60 GMT",
    b"Tuesday, 29-Feb-00 00:00:00 GMT",
)
CONDITION_TOKENS = (
    *(name.encode() + b": *\r\n" for name in sorted(CONDITIONAL)),
    b'"',
    b'"xyzzy"',
    b'W/"xyzzy"',
    b"w/",
    b"*",
    b",",
    b"\\",
    b" ",
    b"\t",
    b"GMT",
    b"-",
    b":60",
    b"99",
    b"00",
    b"Feb",
    b"\xb2",
)


def valid_range(random: Random) -> bytes:
    """Write a Range value."""
    specs = []
    for _ in range(random.choice((1, 1, 2, 3, 10))):
        spec = random.choice(SPECS)
        numbers = sorted(random.choices(NUMBERS, k=spec.count(b"%b")), key=int)
        specs.append(spec % tuple(numbers))
    return random.choice((b"bytes=", b"Bytes=")) + random.choice((b",", b", ", b" ,\t", b",,")).join(specs)


def valid_conditions(random: Random) -> bytes:
    """Write a few conditional field lines."""
    names = random.sample(sorted(CONDITIONAL), k=random.choice((1, 1, 2, 3)))
    return b"".join(b"%b: %b\r\n" % (name.encode(), _condition(random, name)) for name in names)


def _condition(random: Random, name: str) -> bytes:
    if name.endswith("since") or (name == "if-range" and random.random() < 0.5):
        return random.choice(DATES)
    if name == "if-range":
        return random.choice(TAGS)
    tags = random.choices(TAGS, k=random.randrange(1, 5))
    return b"*" if random.random() < 0.2 else random.choice((b",", b", ", b" ,\t", b",,")).join(tags)


def make_range(random: Random) -> bytes:
    """Make a value, mostly mutated."""
    data = valid_range(random)
    return mutate(random, data, RANGE_TOKENS) if random.random() < 0.8 else data


def make_conditions(random: Random) -> bytes:
    """Make field lines, mostly mutated."""
    data = valid_conditions(random)
    return mutate(random, data, CONDITION_TOKENS) if random.random() < 0.8 else data


def check_range(data: bytes) -> str | None:
    """Check a value for content of each size."""
    value = data.decode("latin-1")
    for size in SIZES:
        try:
            fault = _fault_of_range(value, size)
        except Exception as error:
            fault = f"raises {type(error).__name__}"
        if fault is not None:
            return f"{size} bytes: {fault}"
    return None


def _fault_of_range(value: str, size: int) -> str | None:
    parts = read_ranges(value, size)
    unit, _, listed = value.partition("=")
    if parts != read_ranges(f"{unit.swapcase()}=, {listed}\t,,".replace(",", " ,\t"), size):
        return "case, empty members or white space change the result"
    return _fault_of_parts(parts, size) if parts else None


def _fault_of_parts(parts: list[range], size: int) -> str | None:
    if len(parts) > MAX_RANGES:
        return "has too many parts"
    if not all(0 <= part.start < part.stop <= size and part.step == 1 for part in parts):
        return "has a part that is not inside the content"
    ascending = sorted(parts, key=lambda part: part.start)
    if any(one.stop >= other.start for one, other in itertools.pairwise(ascending)):
        return "has parts that overlap or touch"
    written = [content_range(part, size).removeprefix("bytes ").removesuffix(f"/{size}") for part in parts]
    if read_ranges("bytes=" + ",".join(written), size) != parts:
        return "changes in a round trip"
    return None


def check_conditions(data: bytes) -> str | None:
    """Check what some field lines say of each state; invalid field lines never come so far."""
    headers = read_lines(data)
    for current in STATES:
        try:
            fault = _fault_of_answers(headers, current)
        except Exception as error:
            fault = f"raises {type(error).__name__}: {error}"
        if fault is not None:
            return f"{current and current.etag}: {fault}"
    return next(filter(None, (fault_of_date(value) for value in headers.values())), None)


def read_lines(data: bytes) -> Headers:
    """Read the lines that are field lines."""
    lines = []
    for line in data.split(b"\r\n"):
        try:
            lines.append(read_header_line(line))
        except ProtocolError:
            pass
    return Headers(lines)


def _fault_of_answers(headers: Headers, current: Validators | None) -> str | None:
    got, put = evaluate("GET", headers, current, NOW), evaluate("PUT", headers, current, NOW)
    if got not in (None, 304, 412) or put not in (None, 412):
        return f"unexpected results: {got} for GET, {put} for PUT"
    if got != evaluate("HEAD", headers, current, NOW):
        return "treats GET and HEAD differently"
    if CONDITIONAL.isdisjoint(headers) and (got or put):
        return "fails without a condition"
    if got == 304 and current is None:
        return "sends 304 for a missing representation"
    if put is None:
        return _fault_of_performing(headers, current)
    return None


def _fault_of_performing(headers: Headers, current: Validators | None) -> str | None:
    """Check that the preconditions allow the method, and that a range is of the client's version."""
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match", "")
    if wanted is not None and (current is None or (wanted != "*" and (current.etag or "?") not in wanted)):
        return "performs a method although If-Match does not match"
    opaque = current.etag.removeprefix("W/") if current is not None else ""
    if current is not None and (unwanted == "*" or (opaque and opaque in unwanted)):
        return "performs a method although If-None-Match matches"
    if_range = headers.get("if-range")
    if current is None or if_range is None or not range_applies(headers, current, NOW):
        return None
    if if_range != current.etag and read_date(if_range, NOW) != math.floor(current.modified or 0):
        return "serves a range although If-Range does not match"
    return None


def fault_of_date(text: str) -> str | None:
    """Check that a text is not a date, or is read as a date that survives a round trip."""
    try:
        seconds = read_date(text, NOW)
        if seconds is None:
            return None
        again = read_date(format_date(seconds), NOW)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    if not text.isascii() or not 24 <= len(text) <= 33:
        return "reads an invalid date as a date"
    return None if again == seconds else "changes in a round trip"

"""Dates in headers: formatting, and parsing of three formats."""

import calendar
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from random import Random

import pytest

from reactor.http11.dates import format_date, read_date

NOW = calendar.timegm((2026, 7, 1, 12, 0, 0))
EXAMPLE = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT, the example in the RFC
DAY = 24 * 60 * 60
FIRST = -62135596800  # 1 January of the year 1
LAST = 253402300799  # 31 December of the year 9999
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# Three independent formatters, written from the grammar.


def imf_fixdate(moment: datetime) -> str:
    day = f"{DAYS[moment.weekday()][:3]}, {moment.day:02d} {MONTHS[moment.month - 1]} {moment.year:04d}"
    return f"{day} {moment:%H:%M:%S} GMT"


def rfc850_date(moment: datetime) -> str:
    day = f"{DAYS[moment.weekday()]}, {moment.day:02d}-{MONTHS[moment.month - 1]}-{moment.year % 100:02d}"
    return f"{day} {moment:%H:%M:%S} GMT"


def asctime_date(moment: datetime) -> str:
    day = f"{DAYS[moment.weekday()][:3]} {MONTHS[moment.month - 1]} {moment.day:2d}"
    return f"{day} {moment:%H:%M:%S} {moment.year:04d}"


WRITERS = [imf_fixdate, rfc850_date, asctime_date]


def year_ago_or_ahead(years: int) -> int:
    """Return a current time some years later, in seconds."""
    return calendar.timegm((2026 + years, 7, 1, 12, 0, 0))


# Formatting.


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (2**31, "Tue, 19 Jan 2038 03:14:08 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (FIRST, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_date_is_formatted_as_imf_fixdate(seconds: int, text: str) -> None:
    assert format_date(seconds) == text


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.999, 0.9999999])
@pytest.mark.parametrize("seconds", [EXAMPLE, -EXAMPLE])
def test_fractions_of_a_second_are_truncated(seconds: int, part: float) -> None:
    assert format_date(seconds + part) == format_date(seconds)


@pytest.mark.parametrize(
    ("seconds", "nearest"),
    [
        (FIRST - 1, FIRST),
        (-1e300, FIRST),
        (-float("inf"), FIRST),
        (LAST + 1, LAST),
        (2**63, LAST),
        (float("inf"), LAST),
    ],
)
def test_years_are_clamped_to_four_digits(seconds: float, nearest: int) -> None:
    assert format_date(seconds) == format_date(nearest)


def test_formatting_agrees_with_the_standard_library() -> None:
    random = Random(1)
    for _ in range(2000):
        seconds = random.randrange(0, 2**32)
        assert format_date(seconds) == formatdate(seconds, usegmt=True)


# Parsing.


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_three_formats_are_parsed(text: str) -> None:
    assert read_date(text, NOW) == EXAMPLE


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_round_trips(write: Callable[[datetime], str]) -> None:
    random = Random(2)
    earliest, latest = year_ago_or_ahead(-49), year_ago_or_ahead(49)
    for _ in range(2000):
        seconds = random.randrange(earliest, latest)
        assert read_date(write(datetime.fromtimestamp(seconds, UTC)), NOW) == seconds


def test_every_four_digit_year_is_parsed() -> None:
    for seconds in [*range(FIRST, LAST, 366 * DAY), LAST]:
        assert read_date(format_date(seconds), NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sat, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        ("Monday, 06-Nov-94 08:49:37 GMT", EXAMPLE),
        ("Wed Nov  6 08:49:37 1994", EXAMPLE),
        ("Sun Nov 06 08:49:37 1994", EXAMPLE),  # two digits are valid there, too
        ("Sun, 06 Nov 1994 00:00:00 GMT", 784080000),
        ("Sun, 06 Nov 1994 23:59:59 GMT", 784080000 + DAY - 1),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),  # a real leap second
        ("Saturday, 31-Dec-16 23:59:60 GMT", 1483228800),
        ("Sat Dec 31 23:59:60 2016", 1483228800),
        ("Thu, 29 Feb 1996 00:00:00 GMT", 825552000),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951782400),
        ("Tuesday, 29-Feb-00 00:00:00 GMT", 951782400),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ],
)
def test_unusual_dates_are_parsed(text: str, seconds: int) -> None:
    assert read_date(text, NOW) == seconds


NO_DATES = [
    "",
    "0",
    "784111777",
    "-1",
    "now",
    "1994-11-06T08:49:37Z",
    # Names of days and months.
    "sun, 06 Nov 1994 08:49:37 GMT",
    "SUN, 06 Nov 1994 08:49:37 GMT",
    "Son, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 gmt",
    "Sun, 06 11 1994 08:49:37 GMT",
    "Sun, 06 November 1994 08:49:37 GMT",
    "Sunday, 06-nov-94 08:49:37 GMT",
    "sunday, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 Gmt",
    "Sun nov  6 08:49:37 1994",
    "sun Nov  6 08:49:37 1994",
    # Zones.
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 06 Nov 1994 08:49:37 -0800",
    "Sun, 06 Nov 1994 08:49:37 GMT+1",
    "Sunday, 06-Nov-94 08:49:37",
    "Sun Nov  6 08:49:37 1994 GMT",
    # Mixed formats.
    "Sunday, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun, Nov  6 08:49:37 1994",
    "06 Nov 1994 08:49:37 GMT",
    # Too many, too few and non-ASCII digits.
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,  6 Nov 1994 08:49:37 GMT",
    "Sun, 006 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 06 Nov 19940 08:49:37 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 1994 08:49 GMT",
    "Sun, 06 Nov 1994 08:49:37.5 GMT",
    "Sun, 06 Nov 1994 +8:49:37 GMT",
    "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
    "Sun, 0\xb2 Nov 1994 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT",
    "Sunday,  6-Nov-94 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  06 08:49:37 1994",
    "Sun Nov  6 08:49:37 94",
    # Invalid dates and times.
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 32 Dec 1994 08:49:37 GMT",
    "Tue, 30 Feb 2000 00:00:00 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT",
    "Thu, 29 Feb 1995 00:00:00 GMT",
    "Sat, 01 Jan 0000 00:00:00 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sunday, 31-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-94 24:49:37 GMT",
    "Sun Nov  0 08:49:37 1994",
    "Sun Nov  6 08:49:99 1994",
    # Whitespace, and other characters around a date.
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 1994 08:49:37 GMT\n",
    "Sun,06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994  08:49:37 GMT",
    "Sun, 06\tNov 1994 08:49:37 GMT",
    '"Sun, 06 Nov 1994 08:49:37 GMT"',
    "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
]


@pytest.mark.parametrize("text", [pytest.param(text, id=ascii(text)) for text in NO_DATES])
def test_an_invalid_date_is_none(text: str) -> None:
    assert read_date(text, NOW) is None


# Two-digit years.


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Wednesday, 01-Jul-26 12:00:00 GMT", 2026),
        ("Friday, 01-Jul-27 12:00:00 GMT", 2027),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 1994),
        ("Saturday, 01-Jan-00 00:00:00 GMT", 2000),
        ("Friday, 31-Dec-99 23:59:59 GMT", 1999),
        ("Monday, 30-Jun-75 00:00:00 GMT", 2075),
        # The limit is fifty years, to the second.
        ("Wednesday, 01-Jul-76 11:59:59 GMT", 2076),
        ("Wednesday, 01-Jul-76 12:00:00 GMT", 2076),
        ("Thursday, 01-Jul-76 12:00:01 GMT", 1976),
        ("Thursday, 01-Jul-76 13:00:00 GMT", 1976),
        ("Friday, 02-Jul-76 00:00:00 GMT", 1976),
        ("Sunday, 01-Aug-76 00:00:00 GMT", 1976),
        ("Friday, 31-Dec-76 23:59:59 GMT", 1976),
        ("Saturday, 01-Jan-77 00:00:00 GMT", 1977),
    ],
)
def test_a_year_in_two_digits_is_at_most_50_years_ahead(text: str, year: int) -> None:
    seconds = read_date(text, NOW)
    assert seconds is not None
    assert datetime.fromtimestamp(seconds, UTC).year == year


@pytest.mark.parametrize("present", [1994, 1999, 2000, 2049, 2050, 2080, 2099, 2100])
def test_two_digit_years_depend_on_the_current_year(present: int) -> None:
    now = calendar.timegm((present, 7, 1, 12, 0, 0))
    for digits in range(100):
        seconds = read_date(f"Sunday, 01-Jul-{digits:02d} 12:00:00 GMT", now)
        assert seconds is not None
        year = datetime.fromtimestamp(seconds, UTC).year
        assert year % 100 == digits
        assert present - 50 < year <= present + 50


def test_a_leap_day_must_exist_in_the_chosen_century() -> None:
    leap_day = "Tuesday, 29-Feb-00 00:00:00 GMT"
    assert read_date(leap_day, calendar.timegm((2040, 1, 1, 0, 0, 0))) == 951782400
    assert read_date(leap_day, calendar.timegm((2060, 1, 1, 0, 0, 0))) is None  # 2100 is not a leap year


@pytest.mark.parametrize("now", [-float("inf"), FIRST - 1, FIRST, LAST, LAST + 1, float("inf")])
def test_any_current_time_is_accepted(now: float) -> None:
    assert read_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == EXAMPLE
    for digits in range(100):
        read_date(f"Sunday, 01-Jul-{digits:02d} 12:00:00 GMT", now)

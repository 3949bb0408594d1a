"""Dates: three formats in, one out (RFC 9110, 5.6.7)."""

import random
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

import pytest

from reactor.http11.dates import format_date, read_date

NOW = 1_700_000_000.0  # in November 2023
EXAMPLE = 784_111_777


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_examples_of_the_rfc_are_one_time(text: str) -> None:
    assert read_date(text, NOW) == EXAMPLE


def test_what_is_sent_is_the_first_format() -> None:
    assert format_date(EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_date(EXAMPLE + 0.999) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_every_time_is_read_as_it_was_written() -> None:
    source = random.Random(1)
    for _ in range(2000):
        seconds = source.randrange(-2_000_000_000, 10_000_000_000)
        text = format_date(seconds)
        assert read_date(text, NOW) == seconds
        assert parsedate_to_datetime(text).timestamp() == seconds
        then = datetime.fromtimestamp(seconds, UTC)
        assert read_date(f"{then:%a %b} {then.day:2} {then:%H:%M:%S %Y}", NOW) == seconds


@pytest.mark.parametrize(
    ("short", "year"), [("23", 2023), ("24", 2024), ("73", 2073), ("74", 1974), ("94", 1994), ("00", 2000)]
)
def test_a_year_in_two_digits_is_at_most_50_years_ahead(short: str, year: int) -> None:
    read = read_date(f"Monday, 02-Jan-{short} 00:00:00 GMT", NOW)
    assert read == datetime(year, 1, 2, tzinfo=UTC).timestamp()


def test_a_leap_second_and_a_leap_day_are_dates() -> None:
    assert read_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1_483_228_800
    assert read_date("Thu, 29 Feb 2024 00:00:00 GMT", NOW) is not None


def test_the_name_of_the_day_need_not_fit() -> None:
    assert read_date("Mon, 06 Nov 1994 08:49:37 GMT", NOW) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        str(EXAMPLE),
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
        "Sun, 06 Nov 1994 08:49:3\u0667 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_date(text, NOW) is None


def test_what_the_standard_library_writes_is_read() -> None:
    assert read_date(formatdate(EXAMPLE, usegmt=True), NOW) == EXAMPLE

"""Dates in headers: written in one format, parsed in three (RFC 9110, 5.6.7).

    Format         Example                           Written   Parsed
    IMF-fixdate    Sun, 06 Nov 1994 08:49:37 GMT     yes       yes
    rfc850-date    Sunday, 06-Nov-94 08:49:37 GMT    no        yes, obsolete
    asctime-date   Sun Nov  6 08:49:37 1994          no        yes, obsolete

Outside of headers a date is a number of seconds since the epoch, in UTC. Headers contain whole seconds;
fractions are rounded down.

This module does not use a clock: the current time is an argument.

>>> format_date(784111777.9)
'Sun, 06 Nov 1994 08:49:37 GMT'
>>> read_date("Sunday, 06-Nov-94 08:49:37 GMT", now=784111777)
784111777
"""

import math
import re
from datetime import UTC, date, datetime, timedelta

from reactor.http11.grammar import (
    DAY_NAMES,
    MONTH_NAMES,
    match_asctime_date,
    match_imf_fixdate,
    match_rfc850_date,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_SECONDS_PER_DAY = 24 * 60 * 60
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))
# The first and the last second with a four-digit year; file systems may report others.
_FIRST = -62135596800
_LAST = 253402300799


def format_date(seconds: float) -> str:
    """Format a date as IMF-fixdate; one before the year 1 or after 9999 as the nearest valid date."""
    # Three times as fast as datetime and strftime, so that dates need no cache.
    days, second = divmod(_floor(seconds), _SECONDS_PER_DAY)
    day = date.fromordinal(_EPOCH_DAY + days)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    two = _TWO_DIGITS
    name, month = DAY_NAMES[day.weekday()], MONTH_NAMES[day.month - 1]
    return f"{name}, {two[day.day]} {month} {day.year:04} {two[hour]}:{two[minute]}:{two[second]} GMT"


def read_date(text: str, now: float) -> int | None:
    """Parse a date in any of the three formats; return None if it is invalid, such as 30 February.

    The day of the week need not match the date. ``now`` is the current time, which determines the century
    of a two-digit year.
    """
    match = match_imf_fixdate(text) or match_asctime_date(text)
    if match is not None:
        return _seconds(match, int(match["year"]))
    match = match_rfc850_date(text)
    return None if match is None else _seconds(match, _full_year(match, now))


def _floor(seconds: float) -> int:
    """Round down to a whole second that can be formatted."""
    return math.floor(min(max(seconds, _FIRST), _LAST))


def _moment(seconds: int) -> datetime:
    # Not fromtimestamp(), whose range is limited by the platform's C library.
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(match: re.Match[str], year: int) -> int | None:
    """Return the seconds since the epoch; None for an invalid date or time."""
    hour, minute, second = _time_of_day(match)
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second
        return None
    try:
        day = date(year, _month(match), int(match["day"])).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    return day * _SECONDS_PER_DAY + hour * 3600 + minute * 60 + second


def _full_year(match: re.Match[str], now: float) -> int:
    """Return the last year with these two digits in which the date is at most 50 years in the future.

    RFC 9110, 5.6.7: a date further in the future is interpreted as in the past.
    """
    present = _moment(_floor(now))
    farthest = present.year + 50
    year = farthest - (farthest - int(match["year"])) % 100
    date_in_year = (_month(match), int(match["day"]), *_time_of_day(match))
    if year == farthest and date_in_year > (present.month, present.day, *present.timetuple()[3:6]):
        return year - 100
    return year


def _month(match: re.Match[str]) -> int:
    return MONTH_NAMES.index(match["month"]) + 1


def _time_of_day(match: re.Match[str]) -> tuple[int, int, int]:
    return int(match["hour"]), int(match["minute"]), int(match["second"])

"""Dates: seconds since the epoch to HTTP-date and back (RFC 9110, 5.6.7).

    Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate, the one that is sent
    Sunday, 06-Nov-94 08:49:37 GMT    of RFC 850; two digits are a year at most 50 years ahead
    Sun Nov  6 08:49:37 1994          of asctime()

>>> read_date(format_date(784111777), now=0) == 784111777
True
"""

from calendar import monthrange, timegm
from datetime import UTC, datetime
from email.utils import formatdate

from reactor.http11.grammar import match_asctime_date, match_fixdate, match_rfc850_date

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(seconds: float) -> str:
    """Write a time in seconds since the epoch, cut to whole ones, as IMF-fixdate."""
    return formatdate(int(seconds), usegmt=True)


def read_date(text: str, now: float) -> int | None:
    """Read an HTTP-date: seconds since the epoch, or None for what is none.

    ``now``, in seconds since the epoch, is what tells the century of a year in two digits. The name
    of the day is to be one, and does not need to fit.
    """
    if match := match_fixdate(text):
        day, month, year, clock = match.groups()
    elif match := match_rfc850_date(text):
        day, month, short, clock = match.groups()
        year = _full_year(int(short), now)
    elif match := match_asctime_date(text):
        month, day, clock, year = match.groups()
    else:
        return None
    return _seconds(int(year), _MONTHS.index(month) + 1, int(day), *map(int, clock.split(":")))


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    """Return a time in seconds since the epoch; None where there is no such day or time."""
    if year < 1 or not 1 <= day <= monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second
        return None
    return timegm((year, month, day, hour, minute, second))


def _full_year(short: int, now: float) -> int:
    """Return the year that ends in two digits: one over 50 years ahead is of the century before."""
    present = datetime.fromtimestamp(now, UTC).year
    year = present - present % 100 + short
    return year - 100 if year > present + 50 else year

"""Format numbers: three significant digits and a suitable unit; NaN is "unknown"."""

import math
import re
from collections.abc import Callable

NOTHING, UNKNOWN = "-", "unknown"
BY = "\N{MULTIPLICATION SIGN}"  # after a ratio

RATIO, RATE, SECONDS, BYTES, COUNT = "ratio", "requests/s", "seconds", "bytes", "count"

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def count(value: float) -> str:
    """Format a number of things."""
    return UNKNOWN if math.isnan(value) else f"{value:,.0f}"


def number(value: float) -> str:
    """Format a ratio or a rate.

    >>> number(0.7149), number(3.456), number(12.34), number(21345.6), number(0.0123), number(math.nan)
    ('0.71', '3.46', '12.3', '21,346', '0.012', 'unknown')
    """
    size = abs(value)
    if math.isnan(value) or size >= 100 or size == 0:
        return count(value)
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def seconds(value: float) -> str:
    """Format a time given in seconds.

    >>> seconds(0.0000456), seconds(0.00123), seconds(0.0999), seconds(2.5)
    ('45.6 µs', '1.23 ms', '99.9 ms', '2.50 s')
    """
    return _in_units(value, (1, "s"), (1e-3, "ms"), (1e-6, "µs"))


def byte_size(value: float) -> str:
    """Format a number of bytes.

    >>> byte_size(612), byte_size(1536), byte_size(27.5 * 2**20)
    ('612 B', '1.50 KiB', '27.5 MiB')
    """
    return _in_units(value, (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"), (1, "B"))


def _in_units(value: float, *units: tuple[float, str]) -> str:
    """Format a number in the largest unit that it reaches, or the last one."""
    size, unit = next((each for each in units if abs(value) >= each[0]), units[-1])
    return UNKNOWN if math.isnan(value) else f"{number(value / size)} {unit}"


def share(value: float) -> str:
    """Format a share as a percentage.

    >>> share(0.9512), share(0.004)
    ('95 %', '0 %')
    """
    return UNKNOWN if math.isnan(value) else f"{value * 100:.0f} %"


def duration(value: float) -> str:
    """Format a duration given in seconds.

    >>> duration(42), duration(61), duration(3720)
    ('42 s', '1 min', '62 min')
    """
    return f"{value:.0f} s" if value < 60 else f"{value // 60:.0f} min"


FORMATS: dict[str, Callable[[float], str]] = {RATIO: number, RATE: number, COUNT: count}
FORMATS |= {SECONDS: seconds, BYTES: byte_size}


def slug(name: str) -> str:
    """Return a name for use in the names of figures.

    >>> slug("file 4 KiB"), slug("reactor +log"), slug("http.server")
    ('file-4-KiB', 'reactor-log', 'http-server')
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def portable(command: str) -> str:
    """Return a command line without directory names.

    >>> portable("/opt/x/bin/python -m reactor --port 4000 --directory /tmp/b-1/shared")
    'python -m reactor --port 4000 --directory shared'
    >>> portable("env BENCHMARK_DIRECTORY=/tmp/b/shared python --log=/dev/null")
    'env BENCHMARK_DIRECTORY=shared python --log=/dev/null'
    """
    return re.sub(r"(?<![^\s='\"])/(?!dev/)(?:[^/\s'\"]+/)*(?=[^/\s'\"])", "", command)

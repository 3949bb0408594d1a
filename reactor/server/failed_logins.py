"""Failed logins: for how long the response to each is delayed, and what is logged.

    Failures of                          Interval between two responses               At most, on average
    one client address and one user      0.25 s, doubled by each failure, up to 2 s   1 in 2 s
    one client address, with all users   an eighth of that                            4 in 1 s

1. A response is sent one interval after the previous one, however many connections the client has. So every
   failure is delayed by at least 0.25 s, also that of an address which is not in the table.
2. Where the delay would exceed 5 s, the response is 429 (Too Many Requests), after 5 s.
3. Failures are forgotten ten minutes after the last one. The table is bounded: the entry whose last failure
   is the oldest is removed first. A client that varies the user cannot remove the entry of its own address,
   which each failure renews. One with thousands of addresses can, and then waits 0.25 s for each response.
4. IPv6 addresses with the same 64-bit prefix count as one: a single client can have all of them.

A valid password is accepted at once, whatever failed before, so that no client can lock out another one. The
price: no response within milliseconds means a wrong password, too. A client that knows this can close the
connection and try the next password on another one. The delay does not limit that.

This module does not read a clock: times are arguments, in seconds.
"""

import logging
from collections import OrderedDict
from ipaddress import IPv6Address
from math import inf

from reactor.http11.errors import HTTPError, LoginError, quote

log = logging.getLogger("reactor")

FIRST_INTERVAL = 0.25
MAX_INTERVAL = 2.0
MAX_DELAY = 5.0
USERS_SHARE = 8  # intervals of an address are shorter by this factor
FORGET_AFTER = 600.0
MAX_ENTRIES = 4096
MAX_USER = 64  # characters of a user's name that are compared

# Limits for the log: lines in a number of seconds.
MAX_LINES = 20
LOG_WINDOW = 60.0


class _Failures:
    """The failures of one address, or of one address and user."""

    __slots__ = ("count", "latest", "scheduled")

    def __init__(self) -> None:
        self.count = 0
        self.latest = -inf  # when the last one was received
        self.scheduled = -inf  # when the last response is sent

    def add(self, now: float) -> None:
        """Count a failure."""
        self.count = 1 if now - self.latest > FORGET_AFTER else self.count + 1
        self.latest = now

    def next_response(self, now: float, share: int) -> float:
        """Return when the next response may be sent."""
        interval = min(FIRST_INTERVAL * 2.0 ** min(self.count - 1, 10), MAX_INTERVAL)
        return max(now, self.scheduled) + interval / share


class FailedLogins:
    """The failed logins at one server."""

    def __init__(self) -> None:
        # By address, and by address and user; those with the oldest failures are first.
        self._table: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()
        self._log = _Log()

    def __len__(self) -> int:
        """The number of entries in the table."""
        return len(self._table)

    def refuse(self, address: str, error: LoginError, now: float) -> tuple[float, HTTPError]:
        """Count and log a failed login; return the delay of its response, and the error to respond with."""
        network = network_of(address)
        of_user = self._count((network, error.user[:MAX_USER]), now)
        of_address = self._count((network,), now)
        self._log.write(address, error.user, of_address.count, now)
        next_of_user = of_user.next_response(now, 1)
        next_of_address = of_address.next_response(now, USERS_SHARE)
        delay = max(next_of_user, next_of_address) - now
        if delay > MAX_DELAY:
            retry_after = (("Retry-After", f"{MAX_DELAY:.0f}"),)
            return MAX_DELAY, HTTPError(429, "too many failed logins, try again later", retry_after)
        of_user.scheduled, of_address.scheduled = next_of_user, next_of_address
        return delay, error

    def _count(self, key: tuple[str, ...], now: float) -> _Failures:
        """Count a failure; return the entry, which is now the last one of the table."""
        entry = self._table.setdefault(key, _Failures())
        self._table.move_to_end(key)
        if len(self._table) > MAX_ENTRIES:
            self._table.popitem(last=False)
        entry.add(now)
        return entry


class _Log:
    """Logs the first, second, fourth, eighth ... failure of an address, and limits the lines in all."""

    def __init__(self) -> None:
        self._window_ends = -inf
        self._lines = 0  # in this window

    def write(self, address: str, user: str, count: int, now: float) -> None:
        """Log a failure, which is number ``count`` of its address."""
        if count & (count - 1):
            return
        if now >= self._window_ends:
            self._window_ends, self._lines = now + LOG_WINDOW, 0
        self._lines += 1
        if self._lines < MAX_LINES:
            times = "" if count == 1 else f" ({count} failures from this address)"
            log.warning("failed login from %s as %s%s", address, quote(user), times)
        elif self._lines == MAX_LINES:
            log.warning("more failed logins: not logged for up to %.0f s (see the access log)", LOG_WINDOW)


def network_of(address: str) -> str:
    """Return the prefix of an IPv6 address; other addresses unchanged.

    >>> network_of("2001:db8:1:2:3::4"), network_of("::ffff:192.0.2.1"), network_of("192.0.2.1")
    ('2001:db8:1:2::', '192.0.2.1', '192.0.2.1')
    """
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))

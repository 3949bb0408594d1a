"""What a server shares with the servers of other processes that accept from the same listening sockets.

The kernel wakes all processes that wait for a socket, and the one that calls accept() first gets the
connection. Under light load, that is often the same one. So:

1. A process that is ahead, with clearly more connections than another one (``workers/balance.py``), pauses
   for COURTESY. The others are awake and accept in that time. Then it accepts what they have left, without
   this check: another process may be busy, or at its connection limit.
2. A process accepts at most SHARED_ACCEPTS connections per turn, and checks before each one.

    The fullest worker has so many times the connections of the emptiest (1,000 connections, five runs each):

    Connections   Workers  Neither rule  Rule 1 alone  Both rules
    all at once   2        1.2 to 7.3    1.1 to 1.2    1.0 to 1.1
    all at once   4        -             1.1 to 1.8    1.1
    one by one    2        1.1 to 2.1    1.1           1.1
    one by one    4        -             1.1           1.1
"""

from collections.abc import Iterator
from typing import Protocol

COURTESY = 0.002  # seconds
SHARED_ACCEPTS = 16


class Sharing(Protocol):
    """One process of several; ``connection_numbers`` are unique among them."""

    connection_numbers: Iterator[int]

    def keep_signal(self, number: int) -> bool:
        """Return whether the server is to handle a signal itself, or STOP, a call of ``Server.stop``."""

    def is_ahead(self, connections: int) -> bool:
        """Note the number of open connections; return whether another process has clearly fewer."""

"""What a server shares with the servers of other processes that accept from the same listening sockets."""

from collections.abc import Iterator
from typing import Protocol


class Sharing(Protocol):
    """One process of several; ``connection_numbers`` are unique among them."""

    connection_numbers: Iterator[int]

    def keep_signal(self, number: int) -> bool:
        """Return whether the server is to handle a signal itself, or STOP, a call of ``Server.stop``."""

    def is_ahead(self, connections: int) -> bool:
        """Note the number of open connections; return whether another process has clearly fewer."""

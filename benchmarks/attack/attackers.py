"""Attack clients: what they do on a connection is data (a Plan). They reconnect when disconnected."""

import itertools
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.load.clients import Client, ClientGroup
from benchmarks.servers.workloads import numbered
from reactor.event_handler import Interest

PIECE = 1 << 16  # bytes sent at once; more would delay the honest clients in this thread
SMALL_BUFFER = 4096  # bytes, of a client that does not read everything
ALL = -1


@dataclass(frozen=True)
class Plan:
    """What an attacker does on one connection; {n} is a new number each time."""

    sends: bytes = b""
    drips: bytes = b""  # sent after that, repeatedly, one byte per interval
    endless: bool = False  # whether it sends the same again and again
    reads: int = ALL  # bytes per interval
    stalls: bool = False  # whether it stops reading when a response has begun
    expects: str = ""  # status of the response, after which it reconnects; another one is wrong


class Attackers:
    """The attack clients of a run; ``interval`` is the time between two actions of one, in seconds."""

    def __init__(self, group: ClientGroup, plans: Sequence[Plan], count: int, interval: float) -> None:
        self.interval = interval
        self.returning = True  # whether they reconnect
        self.events = Counter[str]()  # responses by status, connects, closes, resets ...
        self.clients = [
            Attacker(group, self, itertools.islice(itertools.cycle(plans), number % len(plans), None))
            for number in range(count)
        ]


class Attacker(Client):
    """Follows its plans in turn, one per connection."""

    def __init__(self, group: ClientGroup, attackers: Attackers, plans: Iterator[Plan]) -> None:
        super().__init__(group)
        self._attackers, self._plans, self._plan = attackers, plans, Plan()
        self._unsent = memoryview(b"")

    def on_connected(self) -> None:
        """Start the next plan."""
        self._attackers.events["connected"] += 1
        self._drips = itertools.cycle(self._plan.drips)
        self._unsent = memoryview(numbered(self._plan.sends, self._attackers.events["connected"]))
        self.interest = Interest.BOTH if self._plan.reads == ALL else Interest.WRITE

    def on_sendable(self) -> None:
        """Send a piece; after the last one, only read or wait."""
        sent = self.send(self._unsent[:PIECE])
        if not self.connected:
            return
        self._unsent = self._unsent[sent:]
        if self._plan.endless:
            self._unsent = self._unsent or memoryview(self._plan.sends)
        elif not self._unsent:
            self.interest = Interest.READ if self._plan.reads == ALL else Interest.NONE
            if self._plan.drips or self._plan.reads != ALL:
                self._schedule()

    def on_deadline(self) -> None:
        """Connect; later, send a byte, or read a little, and check for a reset."""
        if not self.connected:
            self._plan = next(self._plans)
            self.receive_buffer = SMALL_BUFFER if self._plan.stalls or self._plan.reads != ALL else 0
            super().on_deadline()
            return
        self._schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")
        elif self._plan.drips:
            self.send(bytes([next(self._drips)]))
        elif self._plan.reads > 0:
            self.receive(self._plan.reads)

    def on_data(self, data: bytes) -> None:
        """Count responses by status; reconnect, if that is the plan, or after a refusal."""
        status = data[9:12].decode() if data.startswith(b"HTTP/1.1 ") else ""
        events, expected = self._attackers.events, self._plan.expects
        events[status] += bool(status)
        events["wrong responses"] += bool(expected) and status != expected
        if expected or status == "503":
            self._leave()
        elif self._plan.stalls and status == "200":
            self.interest = Interest.NONE
            self._schedule()

    def on_disconnect(self, how: str) -> None:
        """Count the disconnect, and reconnect."""
        self._attackers.events[how] += 1
        self._attackers.events["no response"] += bool(self._plan.expects)
        self._leave()

    def _schedule(self) -> None:
        self.deadline = self.group.reactor.now + self._attackers.interval

    def _leave(self) -> None:
        self.disconnect()
        if self._attackers.returning:
            self.connect_later(self._attackers.interval)

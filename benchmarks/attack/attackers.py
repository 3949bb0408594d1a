"""Attack clients: what they do on a connection is data (a Plan). They reconnect when disconnected."""

import itertools
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from benchmarks.load.clients import Client, ClientGroup
from benchmarks.servers.workloads import DIGITS, MIB, file_content, numbered
from reactor.event_handler import Interest

PIECE = 1 << 16  # bytes sent at once
SMALL_BUFFER = 4096  # bytes, of a client that does not read everything
ALL = -1
LARGE_FILE = f"large-%0{DIGITS}d"  # its name, with the number of the connection that uses it


@dataclass(frozen=True)
class Plan:
    """What an attacker does on one connection; {n} is a new number each time."""

    sends: bytes = b""
    drips: bytes = b""  # sent after that, repeatedly, one byte per interval
    uploads: bool = False  # whether it sends a large body after that, and leaves unless it expects a response
    endless: bool = False  # whether it sends the same again and again
    again_after: bytes = b""  # or only when it has received this, the end of the last response
    reads: int = ALL  # bytes per interval
    stalls: bool = False  # whether it stops reading when a response has begun
    removes: bool = False  # whether it then deletes its large file, and leaves after an interval
    expects: str = ""  # beginning of the response's status, after which it reconnects; another one is wrong


@dataclass
class AttackSettings:
    """What all attackers of a run have in common."""

    plans: Sequence[Plan]
    interval: float = 0.0  # seconds between two actions of an attacker
    returning: bool = True  # whether they reconnect
    directory: Path = Path()  # shared by the server
    large: int = 0  # bytes of a large file


class Attacker(Client):
    """Follows its plans in turn, one per connection; counts in ``events`` what happens to all attackers."""

    def __init__(
        self, group: ClientGroup, settings: AttackSettings, events: Counter[str], number: int
    ) -> None:
        super().__init__(group)
        self._settings, self._events, self._plan = settings, events, Plan()
        self._plans = itertools.islice(itertools.cycle(settings.plans), number % len(settings.plans), None)
        self._unsent, self._end = memoryview(b""), b""

    def on_connected(self) -> None:
        """Start the next plan."""
        plan = self._plan
        self._events["connected"] += 1
        self._number = self._events["connected"]
        self._drips = itertools.cycle(plan.drips)
        self._unsent = memoryview(numbered(plan.sends, self._number))
        self._block = memoryview(file_content(MIB) if plan.uploads else plan.sends)  # sent after that
        self._blocks = inf if plan.endless else self._settings.large // MIB if plan.uploads else 0
        self.interest = Interest.BOTH if plan.reads == ALL else Interest.WRITE

    def on_sendable(self) -> None:
        """Send a piece; after the last one, leave, or only read or wait."""
        sent = self.send(self._unsent[:PIECE])
        if not self.connected:
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return
        if self._blocks:
            self._blocks, self._unsent = self._blocks - 1, self._block
        elif self._plan.uploads and not self._plan.expects:
            self._leave("left")
        else:
            self.interest = Interest.READ if self._plan.reads == ALL else Interest.NONE
            if self._plan.drips or self._plan.reads != ALL:
                self._schedule()

    def on_deadline(self) -> None:
        """Connect; later, leave, send a byte, or read a little, and check for a reset."""
        if not self.connected:
            self._plan = next(self._plans)
            self.receive_buffer = SMALL_BUFFER if self._plan.stalls or self._plan.reads != ALL else 0
            super().on_deadline()
            return
        self._schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")
        elif self._plan.removes:
            self._leave("left")
        elif self._plan.drips:
            self.send(bytes([next(self._drips)]))
        elif self._plan.reads > 0:
            self.receive(self._plan.reads)

    def on_data(self, data: bytes) -> None:
        """Count responses by status; reconnect, if that is the plan, or after a refusal."""
        status = data[9:12].decode() if data.startswith(b"HTTP/1.1 ") else ""
        plan = self._plan
        self._events[status] += bool(status)
        self._events["wrong responses"] += not status.startswith(plan.expects)
        if plan.expects or status == "503":
            self._leave()
        elif plan.stalls and status == "200":
            self.interest = Interest.NONE
            self._schedule()
            if plan.removes:
                (self._settings.directory / (LARGE_FILE % self._number)).unlink()
        elif plan.again_after:
            self._end = (self._end + data)[-len(plan.again_after) :]
            if self._end == plan.again_after:
                self._end, self._unsent, self.interest = b"", self._block, Interest.BOTH

    def on_disconnect(self, how: str) -> None:
        """Count the disconnect, and reconnect."""
        self._events["no response"] += bool(self._plan.expects)
        self._leave(how)

    def _schedule(self) -> None:
        self.deadline = self.group.reactor.now + self._settings.interval

    def _leave(self, how: str = "answered") -> None:
        self._events[how] += 1
        self.disconnect()
        if self._settings.returning:
            self.connect_later(self._settings.interval)

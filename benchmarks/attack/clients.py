"""Honest clients during an attack: each sends requests at fixed times on one connection.

A request is timed from when it was due, not from when it was sent, so that a stall of the server delays every
request due during it. The attackers run on the same core, so the times are upper bounds.
"""

from math import inf

from benchmarks.load.client_group import RECONNECT_DELAY, Client, ClientGroup


class HonestClient(Client):
    """Requests a different text each time, and counts errors."""

    def __init__(self, group: ClientGroup, number: int) -> None:
        super().__init__(group)
        self.number = number
        self.times: list[float] = []  # seconds, one per response; cleared when collected
        self.answered = 0
        self.errors = 0  # wrong responses, and requests without a response
        self.lost = 0  # connections closed or reset by the server
        self._due = 0.0
        self._expected = b""  # the expected body; empty without a pending request
        self._received = b""

    @property
    def waiting(self) -> bool:
        """True while a request is pending."""
        return bool(self._expected)

    def start(self, delay: float) -> None:
        """Start sending requests after a delay."""
        self.deadline = self._due = self.group.now + delay
        self.group.reactor.refresh(self)

    def give_up(self) -> None:
        """Count a pending request as an error, with the time waited; reconnect."""
        if self.connected and not self.waiting:
            return
        self.errors += 1
        self.lost += 1
        self.times.append(self.group.now - self._due)
        self._expected = b""
        self.disconnect()
        self.connect_later(RECONNECT_DELAY)

    def on_connected(self) -> None:
        """Send a request that became due while connecting."""
        self.group.events["connected"] -= 1  # this counter is for attackers
        self.deadline = self._due if self._due else inf

    def on_timer(self) -> None:
        """Send the next request."""
        if not self.group.asking or self.waiting:
            return
        self._expected = b"%d-%d" % (self.number, self.answered)
        self._received = b""
        self.send(b"GET /echo/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._expected)

    def on_data(self, data: bytes) -> None:
        """Check the response once it is complete."""
        self._received += data
        head, end, content = self._received.partition(b"\r\n\r\n")
        if not end or (head.startswith(b"HTTP/1.1 200 ") and len(content) < len(self._expected)):
            return
        right = self.waiting and head.startswith(b"HTTP/1.1 200 ") and content == self._expected
        if right:
            self.times.append(self.group.now - self._due)
        else:
            self.errors += 1
        self.answered += 1
        self._expected = b""
        self._due += self.group.interval
        self.deadline = self._due

    def on_disconnect(self, how: str) -> None:
        """Count the lost connection, and reconnect."""
        self.lost += 1
        self.errors += self.waiting
        self._expected = b""
        self.disconnect()
        self.connect_later(RECONNECT_DELAY)

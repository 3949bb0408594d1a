"""The clients that are served during an attack: each asks at fixed times, and holds on to its connection.

A request's time is counted from the moment it was due, not from the moment it was sent: a server that
stalls for a second then delays every request that fell into that second, not only the one that was on
its way. The attackers' work on the same core counts, too, so the figures are upper bounds.
"""

from math import inf

from benchmarks.load.client_group import RECONNECT_DELAY, Client, ClientGroup


class HonestClient(Client):
    """Asks for another text each time, and counts what goes wrong."""

    def __init__(self, group: ClientGroup, number: int) -> None:
        super().__init__(group)
        self.number = number
        self.times: list[float] = []  # seconds, one for each answer since they were last taken
        self.answered = 0
        self.errors = 0  # answers that were wrong, and requests that never got one
        self.lost = 0  # connections that ended under us
        self._due = 0.0
        self._expected = b""  # the answer that is awaited
        self._received = b""

    @property
    def waiting(self) -> bool:
        """True while a request has no answer."""
        return bool(self._expected)

    def start(self, delay: float) -> None:
        """Begin to ask, the first time after some seconds."""
        self.deadline = self._due = self.group.now + delay
        self.group.reactor.refresh(self)

    def give_up(self) -> None:
        """Count a request that has no answer as an error that took as long as we waited."""
        if self.connected and not self.waiting:
            return
        self.errors += 1
        self.lost += 1
        self.times.append(self.group.now - self._due)
        self._expected = b""
        self.disconnect()
        self.connect_later(RECONNECT_DELAY)

    def on_connected(self) -> None:
        """Ask for what was due meanwhile."""
        self.group.events["connected"] -= 1  # that counts attackers
        self.deadline = self._due if self._due else inf

    def on_timer(self) -> None:
        """Ask."""
        if not self.group.asking or self.waiting:
            return
        self._expected = b"%d-%d" % (self.number, self.answered)
        self._received = b""
        self.send(b"GET /echo/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._expected)

    def on_data(self, octets: bytes) -> None:
        """Check the answer when it is whole."""
        self._received += octets
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
        """Count it, and come back at once."""
        self.lost += 1
        self.errors += self.waiting
        self._expected = b""
        self.disconnect()
        self.connect_later(RECONNECT_DELAY)

"""The clients: each runs its script, and hands what it receives to its checker.

    Behaviour      What it does                                         What it must get
    regular        sends all at once or one by one, in pieces; reads     every answer
    slow-reading   sends all at once, reads little by little             every answer
    flooding       sends many short requests at once                     every answer
    half-closing   sends all, half-closes, reads                         every answer, unless one takes long
    idle           stays connected after the last answer                 every answer; closed by the timeout
    silent         connects and sends nothing                            closed by the timeout
    slow-head      sends bytes one by one and never ends its head        408 at the timeout
    slow-body      sends a body far too slowly                           408 at the timeout, nothing stored
    truncating     half-closes in the middle of a request                the answers before it
    overrunning    sends more bytes right after its last request         every answer
    not-reading    does not read for long                                no wrong answer
    vanishing      stops sending and reading at any point, stays open    no wrong answer
    resetting      resets at any point                                   no wrong answer
    leaving        closes at any point                                   no wrong answer
    late-sending   keeps sending after its last request                  no wrong answer

*No wrong answer*: what came is right and in order, but there may be less of it. The same holds for
those that may fail because of a fault that was planted in their way.
"""

from collections.abc import Iterator
from dataclasses import replace

from reactor.handlers.files.cache import MAX_FILE_SIZE
from tests.simulation.checker import AnswerChecker
from tests.simulation.scripts import Exchange, ScriptWriter, head
from tests.simulation.site import TOO_MANY_BYTES, Site
from tests.simulation.tcp import ByteSummary, Reset, TcpConnection
from tests.simulation.world import Process, Steps, World

BEHAVIOURS = {
    "regular": 40,
    "slow-reading": 6,
    "flooding": 3,
    "half-closing": 10,
    "idle": 4,
    "silent": 2,
    "slow-head": 3,
    "slow-body": 2,
    "truncating": 6,
    "not-reading": 3,
    "vanishing": 4,
    "resetting": 5,
    "leaving": 5,
    "overrunning": 4,
    "late-sending": 3,
}
# The server closes when more than a head's limit waits after a live stream.
MAX_BEHIND_A_LIVE_STREAM = 30_000
HALF_CLOSING = ("half-closing", "truncating")
INTERRUPTED = ("truncating", "vanishing", "resetting", "leaving")
CANARY = head("GET /echo/canary HTTP/1.1")


class Client:
    """One client, from its connection to its final check."""

    def __init__(self, site: Site, writer: ScriptWriter, behaviour: str) -> None:
        self.world: World = site.world
        self.site = site
        self.name = writer.name
        self.behaviour = behaviour
        self.exchanges = self._write(writer)
        self.at_once = (
            behaviour in ("slow-reading", "flooding", "half-closing", "truncating")
            or self.world.random.random() < 0.5
        )
        if any(each.is_live for each in self.exchanges) and self._bytes_to_send() > MAX_BEHIND_A_LIVE_STREAM:
            self.exchanges = [each for each in self.exchanges if not each.is_live]
        contents = [each.content for each in self.exchanges if isinstance(each.content, bytes)]
        # A cached file is an answer, too.
        site.largest_answers[self.name] = max(MAX_FILE_SIZE, *map(len, contents), 0)
        self.checker = AnswerChecker(site, writer.disk, self.name, behaviour, self.exchanges)
        self.tcp: TcpConnection | None = None
        self.checked = False
        self.complete = 0  # how many requests are sent whole
        self._is_blocked = False  # it is about to send more than the server's kernel has room for
        self._sender = Process(self.world, self._send())
        self._reader: Process | None = None

    def _write(self, writer: ScriptWriter) -> list[Exchange]:
        random = self.world.random
        if self.behaviour == "silent":
            return []
        if self.behaviour == "flooding":
            return [writer.write_short() for _ in range(random.choice((10, 40, 80)))]
        exchanges = [writer.write() for _ in range(random.choice((1, 1, 2, 3, 6)))]
        if self.behaviour in HALF_CLOSING:
            exchanges = [each for each in exchanges if not each.is_live] or [writer.root()]
        if self.behaviour == "slow-reading":  # its connection would be idle for too long
            exchanges = [each for each in exchanges if not each.waits] or [writer.root()]
        if self.behaviour == "slow-head":
            exchanges.append(Exchange(b"", (408,), closes=True))
        elif self.behaviour == "slow-body":
            exchanges.append(self._slow_upload(writer))
        elif self.behaviour in ("overrunning", "late-sending") or (
            self.behaviour != "idle" and random.random() < 0.4
        ):
            exchanges.append(writer.write_last())
        return exchanges

    def _slow_upload(self, writer: ScriptWriter) -> Exchange:
        data = writer.head(f"POST /files/{writer.mark()} HTTP/1.1", "Content-Length: 100000")
        return Exchange(data, (408,), closes=True, on_disk=True)

    # What the client does.

    def _send(self) -> Steps:
        random = self.world.random
        yield random.random() * random.choice((0.01, 1.0, 10.0))
        if not self._connect():
            self.checked = True
            return
        self.checker.connected_at = self.checker.since = self.world.now
        if self.behaviour != "silent":
            yield random.random() * random.choice((0.0, 0.01, 10.0))
        try:
            yield from self._send_script()
            yield from self._finish()
        except Reset:
            yield lambda: bool(self.checker.ended)
        self.checked = True
        assert self.tcp is not None
        self.checker.check_end(self.tcp)

    def suspend(self) -> None:
        """Note that the server was suspended: the waiting bytes may be an incomplete request."""
        if self.tcp is None or self.checked:
            return
        self.checker.jumped = True
        if self._is_blocked or len(self.tcp.up) > self.site.settings.turn_read:
            self.world.allow_failure(self.name, TOO_MANY_BYTES)

    def stop(self) -> None:
        """Note that the server begins to stop: it must answer what it has received by now."""
        if self.tcp is not None and not self.checked:
            self.world.log("%s has sent %d requests", self.name, self.complete)
            self.checker.stop(self.complete)
        elif not self.checked:
            self.checker.stop(0)

    def _connect(self) -> bool:
        """Connect; return False when the server no longer listens."""
        random = self.world.random
        total = self._bytes_to_send()
        sizes = (1, 100, 3_000, 65_536)
        self.tcp = TcpConnection(
            self.name,
            max(random.choice(sizes[2:] if self.world.rates["jump"] else sizes), total // 12),
            max(random.choice(sizes), self._bytes_to_receive() // 12),
        )
        self.tcp.notify_client = self._notify
        if not self.site.listener.connect(self.tcp):
            self.world.allow_failure(self.name, "it was refused")
            return False
        self.world.log("%s (%s) connects", self.name, self.behaviour)
        self._reader = Process(self.world, self._read())
        return True

    def _send_script(self) -> Steps:
        script = self._cut_script() if self.behaviour in INTERRUPTED else self.exchanges
        if self.behaviour == "flooding":
            yield from self._push(b"".join(each.data for each in script))
            self.complete = len(script)
            return
        for place, exchange in enumerate(script, 1):
            if self.checker.close_announced:
                return
            if exchange.waits:
                yield lambda place=place: len(self.checker.answers) >= place - 1 or bool(self.checker.ended)  # type: ignore[misc]
            if exchange.compose is not None:
                exchange = self.exchanges[place - 1] = exchange.compose()
            if self.behaviour == "overrunning" and place == len(script):
                self._send_overrun(exchange.data + CANARY * self.world.random.choice((1, 30)))
                return
            yield from self._send_exchange(exchange, place)
            if not self.at_once and place < len(script):
                yield lambda place=place: len(self.checker.answers) >= place or bool(self.checker.ended)  # type: ignore[misc]
                yield self.world.random.random() * self.world.random.choice((0.0, 0.0, 0.1, 30.0))
        if self.behaviour == "slow-head":
            yield from self._trickle(b"GET / HTTP/1.1\r\nX: ")
        elif self.behaviour == "slow-body":
            yield from self._trickle(b"")

    def _send_exchange(self, exchange: Exchange, place: int) -> Steps:
        """Send a request in pieces; with Expect, send the body after the 100 response."""
        # RFC 9112, 2.2: an empty line before a request line is to be ignored.
        before = b"\r\n" if self.world.random.random() < 0.1 else b""
        yield from self._send_pieces(before + exchange.data)
        if exchange.delayed_body is None:
            self._note_complete(place)
            return
        if self.behaviour != "slow-reading":  # for which the timeouts would be too short
            yield lambda: self._may_send_body(place)
        if not self.checker.ended and len(self.checker.answers) < place:
            yield from self._send_pieces(exchange.delayed_body)
            self._note_complete(place)

    def _note_complete(self, place: int) -> None:
        if not self.checker.ended and not self.checker.close_announced:
            self.complete = place

    def _send_pieces(self, data: bytes) -> Steps:
        for piece, delay in self._pieces(data):
            yield from self._push(piece)
            yield delay

    def _send_overrun(self, data: bytes) -> None:
        """Send the last request and surplus bytes at once, which must do no harm if they arrive together."""
        assert self.tcp is not None
        sent = self.tcp.client_send(data)
        self.world.log("%s sends %s", self.name, ByteSummary(data[:sent]))
        if sent < len(data):
            self.world.allow_failure(self.name, "the server may not receive its last bytes together")
            self.tcp.client_half_close()
        elif self.world.rates["eagain"]:
            self.world.allow_failure(self.name, "the server may have got EAGAIN")

    def _may_send_body(self, place: int) -> bool:
        """Whether 100 (Continue) or a final answer has come to the request in this place."""
        expecting = sum(each.delayed_body is not None for each in self.exchanges[:place])
        return (
            self.checker.continues >= expecting
            or len(self.checker.answers) >= place
            or bool(self.checker.ended)
        )

    def _cut_script(self) -> list[Exchange]:
        """Cut the script off in the middle of its last request, which may be refused before its end."""
        last = self.exchanges[-1]
        data = last.data[: self.world.random.randrange(len(last.data))]
        self.world.log("%s will stop after %d bytes of %s", self.name, len(data), last.words)
        refusals = tuple(status for status in last.statuses if status > 399)
        self.exchanges[-1] = replace(
            last, data=data, statuses=refusals, content=None, delayed_body=None, waits=False, compose=None
        )
        self.checker.required -= 1
        return self.exchanges

    def _pieces(self, data: bytes) -> Iterator[tuple[bytes, float]]:
        """Cut bytes into pieces, each followed by a pause."""
        random = self.world.random
        count = random.choice((1, 1, 2, 4, 12))
        cuts = sorted(random.randrange(len(data) + 1) for _ in range(count - 1))
        longest = random.choice((0.0, 1e-4, 0.05, 0.2))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            yield data[start:end], random.random() * longest

    def _push(self, data: bytes) -> Steps:
        """Send bytes as there is room for them, unless the server has ended."""
        assert self.tcp is not None
        while data and not self.checker.ended and not self.checker.close_announced:
            sent = self.tcp.client_send(data)
            self.world.log("%s sends %s", self.name, ByteSummary(data[:sent]))
            data = data[sent:]
            if data:
                self._is_blocked = True
                yield lambda: self.tcp.client_can_send or bool(self.checker.ended)  # type: ignore[union-attr]
                self._is_blocked = False

    def _trickle(self, data: bytes) -> Steps:
        """Send a byte now and then, for longer than any timeout."""
        yield from self._push(data)
        self.checker.since = self.world.now
        for _ in range(100):
            if self.checker.ended:
                break
            yield from self._push(b"a")
            yield self.world.random.random()

    def _finish(self) -> Steps:
        """Wait for the answers due; then leave as the behaviour says."""
        assert self.tcp is not None
        tcp, behaviour = self.tcp, self.behaviour
        if behaviour in ("vanishing", "resetting", "leaving"):
            self.world.allow_failure(self.name, f"it is {behaviour}")
            yield self.world.random.random() * self.world.random.choice((0.0, 0.01, 5.0))
            self._disconnect()
            return
        if behaviour == "late-sending":
            self.world.allow_failure(self.name, "it sent bytes after its last request")
            yield from self._push(CANARY)
        if behaviour in HALF_CLOSING:
            self.world.log("%s half-closes", self.name)
            tcp.client_half_close()
        yield lambda: bool(self.checker.ended) or (self.checker.is_complete and not self._waits_for_end)
        self.world.log("%s closes", self.name)
        tcp.client_close()

    @property
    def _waits_for_end(self) -> bool:
        """Whether the server must close first."""
        last = bool(self.exchanges) and self.exchanges[-1].closes
        return (
            last
            or self.checker.stopping
            or self.behaviour
            in ("half-closing", "truncating", "idle", "silent", "overrunning", "late-sending", "not-reading")
        )

    def _disconnect(self) -> None:
        assert self.tcp is not None
        assert self._reader is not None
        self.world.log("%s is %s", self.name, self.behaviour)
        self._reader.stop()
        if self.behaviour == "resetting":
            self.tcp.client_abort()
        elif self.behaviour == "leaving":
            self.tcp.client_close()

    def _read(self) -> Steps:
        assert self.tcp is not None
        random = self.world.random
        size, pause = 65_536, random.choice((1e-4, 1e-3, 0.05))
        if self.behaviour == "slow-reading":
            size, pause = (
                1 + self._bytes_to_receive() // random.choice((10, 60)),
                random.choice((0.5, 10.0, 35.0)),
            )
        elif self.behaviour == "not-reading":
            self.world.allow_failure(self.name, "it does not read")
            yield 40.0 + random.random() * 100.0
        while not self.checker.ended:
            yield lambda: self.tcp.client_can_read  # type: ignore[union-attr]
            yield random.random() * pause
            try:
                data = self.tcp.client_receive(size)
            except Reset:
                self.checker.end("reset")
            else:
                if data is not None:
                    self.checker.receive(data)
            self._sender.notify()

    def _notify(self) -> None:
        self._sender.notify()
        if self._reader is not None:
            self._reader.notify()

    def _bytes_to_send(self) -> int:
        """The number of bytes to send."""
        return sum(len(each.data) + len(each.delayed_body or b"") for each in self.exchanges)

    def _bytes_to_receive(self) -> int:
        """The approximate number of bytes to receive."""
        return sum(
            len(each.content) if isinstance(each.content, bytes) else each.size for each in self.exchanges
        )

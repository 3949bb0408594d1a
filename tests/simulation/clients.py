"""The clients: each runs its script, and hands what it receives to its checker.

    Behaviour      What it does                                         What it must get
    regular        sends all at once or one by one, in pieces; reads     every answer
    slow-reading   sends all at once; reads little by little, perhaps    every answer
                   fast before or after that
    stalling       reads fast, and then nothing more                     closed by the write timeout
    bursting       sends a request slowly, and then the rest at once     every answer
    slowing        sends a part of a body fast, and then far too slowly  408 after a window that was slow
    flooding       sends many short requests at once                     every answer
    half-closing   sends all, half-closes, reads                         every answer, unless one takes long
    idle           stays connected after the last answer                 every answer; closed by the timeout
    silent         connects and sends nothing                            closed by the timeout
    slow-head      sends bytes one by one and never ends its head        408 at the timeout
    slow-body      sends a body far too slowly                           408 at the timeout, nothing stored
    truncating     half-closes in the middle of a request                the answers before it
    overrunning    sends more bytes right after its last request         every answer
    not-reading    does not read for long                                every answer, if it reads again
                                                                         within the write timeout
    vanishing      stops sending and reading at any point, stays open    no wrong answer
    resetting      resets at any point                                   no wrong answer
    leaving        closes at any point                                   no wrong answer
    late-sending   keeps sending after its last request                  every answer, unless it sent after
                                                                         the server had waited for its end

*No wrong answer*: what came is right and in order, but there may be less of it. The same holds for
those that may fail because of a fault that was planted in their way.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from reactor.handlers.files.cache import MAX_FILE_SIZE
from tests.simulation.checker import NOT_READING, PAUSED_READING, AnswerChecker
from tests.simulation.connection_scripts import (
    CLOSING,
    PERSISTENT,
    chunks_over_sink_limit,
    expecting_and_refused,
    failing_sink,
    old_generated,
    old_live,
)
from tests.simulation.scripts import Exchange, ScriptWriter, head
from tests.simulation.site import PROXY_HEADERS, TOO_MANY_BYTES, Site
from tests.simulation.tcp import ByteSummary, Reset, TcpConnection
from tests.simulation.uploads import Upload
from tests.simulation.world import Process, Steps, World

BEHAVIOURS = {
    "regular": 40,
    "slow-reading": 6,
    "stalling": 2,
    "bursting": 4,
    "slowing": 2,
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
LARGEST_SMALL_FILE = 16_000  # bytes; some seeds have larger files
HALF_CLOSING = ("half-closing", "truncating")
# What follows these would be taken for a part of their body, if it arrived at once.
BEFORE_SILENCE = (chunks_over_sink_limit, expecting_and_refused)
INTERRUPTED = ("truncating", "vanishing", "resetting", "leaving")
SENDING_AT_ONCE = ("slow-reading", "stalling", "not-reading", "flooding", "half-closing", "truncating")
CANARY = head("GET /echo/canary HTTP/1.1")


class Client:
    """One client, from its connection to its final check."""

    def __init__(self, site: Site, writer: ScriptWriter, behaviour: str) -> None:
        self.world: World = site.world
        self.site = site
        self.name = writer.name
        self.random = self.world.stream(self.name)
        self.behaviour = behaviour
        self.content_lasts = 0.0  # seconds until the server gives up a body that becomes slow
        self._head_size = 900 if writer.disk.features.origin else 200  # of an answer, about, in bytes
        self.exchanges = self._write(writer)
        self.at_once = behaviour in SENDING_AT_ONCE or self.random.random() < 0.5
        if any(each.is_live for each in self.exchanges) and self._bytes_to_send() > MAX_BEHIND_A_LIVE_STREAM:
            self.exchanges = [each for each in self.exchanges if not each.is_live or each.closes]
        contents = [each.content for each in self.exchanges if isinstance(each.content, bytes)]
        # A cached file is an answer, too.
        sizes = [each.size for each in self.exchanges]
        site.largest_answers[self.name] = max(
            MAX_FILE_SIZE if writer.large else LARGEST_SMALL_FILE, *map(len, contents), *sizes, 0
        )
        self.checker = AnswerChecker(site, writer.disk, self.name, behaviour, self.exchanges)
        self.checker.content_lasts = self.content_lasts
        self.tcp: TcpConnection | None = None
        self.checked = False
        self.refused = False  # it came when the server had stopped
        self.complete = 0  # how many requests are sent whole
        self._is_blocked = False  # it is about to send more than the server's kernel has room for
        self._sender = Process(self.world, self._send(), self.random)
        self._reader: Process | None = None

    def _write(self, writer: ScriptWriter) -> list[Exchange]:
        random = self.random
        if self.behaviour == "silent":
            return []
        if self.behaviour == "flooding":
            return [writer.write_short() for _ in range(random.choice((10, 40, 80)))]
        exchanges = [self._write_one(writer) for _ in range(random.choice((1, 1, 2, 3, 6)))]
        if self.behaviour in HALF_CLOSING:
            exchanges = [each for each in exchanges if not each.is_live and not each.is_later]
            exchanges = exchanges or [writer.root()]
        if self.behaviour == "slow-reading":  # its connection would be idle for too long
            exchanges = [each for each in exchanges if not each.waits] or [writer.root()]
        if self.behaviour == "slow-head":
            exchanges.append(Exchange(b"", (408,), closes=True))
        elif self.behaviour == "slow-body":
            exchanges.append(self._slow_upload(writer))
        elif self.behaviour == "slowing":
            exchanges.append(self._slowing_upload(writer))
        elif self.behaviour == "bursting":
            exchanges.append(self._burst(writer))
        elif self.behaviour in ("overrunning", "late-sending") or (
            self.behaviour != "idle" and random.random() < 0.4
        ):
            exchanges.append(self._write_last(writer))
        return exchanges

    def _write_one(self, writer: ScriptWriter) -> Exchange:
        if self.random.random() < 0.3:
            return self.random.choices(list(PERSISTENT), list(PERSISTENT.values()))[0](writer)
        return writer.write()

    def _write_last(self, writer: ScriptWriter) -> Exchange:
        if self.random.random() < 0.5:
            return writer.write_last()
        last = self.random.choice(CLOSING)
        if last in BEFORE_SILENCE and self.behaviour in ("overrunning", "late-sending"):
            last = failing_sink
        if last is old_live and self.behaviour in (*HALF_CLOSING, "overrunning"):
            last = old_generated
        return last(writer)

    def _slowing_upload(self, writer: ScriptWriter) -> Exchange:
        """Write the fast part of an upload, whose rest comes too slowly."""
        settings = self.site.settings
        least = settings.min_rate * settings.content_timeout
        enough = self.random.random() < 0.5
        size = least + self.random.randrange(2_000) if enough else least * self.random.random() * 0.9
        self.content_lasts = settings.content_timeout * (1 + enough)
        data = writer.head(f"POST /files/{writer.mark()} HTTP/1.1", "Content-Length: 100000")
        return Exchange(data + bytes(int(size)), (408,), closes=True, on_disk=True)

    def _burst(self, writer: ScriptWriter) -> Exchange:
        """Write an upload of more than one rate window."""
        name, content = writer.mark(), self.random.randbytes(self.random.randrange(10_000, 25_000))
        request = Upload(writer, "POST", name, writer.disk.tree.offer(writer.name, name, content))
        data = writer.head(f"POST /files/{name} HTTP/1.1", f"Content-Length: {len(content)}") + content
        return Exchange(data, (201,), b"", "POST", on_disk=True, is_upload=True, verify=request.verify)

    def _slow_upload(self, writer: ScriptWriter) -> Exchange:
        data = writer.head(f"POST /files/{writer.mark()} HTTP/1.1", "Content-Length: 100000")
        return Exchange(data, (408,), closes=True, on_disk=True)

    # What the client does.

    def _send(self) -> Steps:
        random = self.random
        yield random.random() * random.choice((0.01, 1.0, 10.0))
        if not self._connect():
            self.checked = self.refused = True
            return
        self.checker.connected_at = self.checker.since = self.world.now
        if self.behaviour != "silent":
            yield random.random() * random.choice((0.0, 0.01, 10.0))
        try:
            yield from self._send_proxy_header()
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
        random = self.random
        total = self._bytes_to_send()
        sizes = (1, 100, 3_000, 65_536)
        self.tcp = TcpConnection(
            self.name,
            max(random.choice(sizes[2:] if self.world.rates["jump"] else sizes), total // 12),
            max(random.choice(sizes), self._bytes_to_receive() // 12),
        )
        self.tcp.notify_client = self._notify
        if not self.site.listener.connect(self.tcp):
            self.world.log("%s: it was refused", self.name)
            if self.site.is_listening:
                self.world.fail(f"{self.name} is refused, and the server is not stopping")
            return False
        self.world.log("%s (%s) connects", self.name, self.behaviour)
        self._reader = Process(self.world, self._read(), self.random)
        return True

    def _send_proxy_header(self) -> Steps:
        if self.site.has_proxy_headers and self.behaviour != "silent":
            yield from self._send_pieces(self.random.choice(PROXY_HEADERS))

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
                self._send_overrun(exchange.data + CANARY * self.random.choice((1, 30)))
                return
            self.checker.sending_since = self.world.now
            if self.behaviour == "bursting" and place == len(script):
                yield from self._send_in_burst(exchange.data, place)
            else:
                yield from self._send_exchange(exchange, place)
            if not self.at_once and place < len(script):
                yield lambda place=place: len(self.checker.answers) >= place or bool(self.checker.ended)  # type: ignore[misc]
                yield self.random.random() * self.random.choice((0.0, 0.0, 0.1, 30.0))
        if self.behaviour == "slow-head":
            yield from self._trickle(b"GET / HTTP/1.1\r\nX: ")
        elif self.behaviour in ("slow-body", "slowing"):
            yield from self._trickle(b"")

    def _send_in_burst(self, data: bytes, place: int) -> Steps:
        """Send a part of the head slowly, then a part of the body, each for almost its whole timeout."""
        end_of_head = data.index(b"\r\n\r\n") + 4
        for start, end in ((0, end_of_head), (end_of_head, len(data))):
            slow = start + 1 + self.random.randrange(10)
            for position in range(start, slow):
                yield from self._push(data[position : position + 1])
                yield self.random.random() * 1.5
            yield from self._push(data[slow:end])
        self._note_complete(place)

    def _send_exchange(self, exchange: Exchange, place: int) -> Steps:
        """Send a request in pieces; with Expect, send the body after the 100 response."""
        # RFC 9112, 2.2: an empty line before a request line is to be ignored.
        before = b"\r\n" if self.random.random() < 0.1 else b""
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
        data = last.data[: self.random.randrange(len(last.data))]
        self.world.log("%s will stop after %d bytes of %s", self.name, len(data), last.words)
        refusals = tuple(status for status in last.statuses if status > 399)
        self.exchanges[-1] = replace(
            last, data=data, statuses=refusals, content=None, delayed_body=None, waits=False, compose=None
        )
        self.checker.required -= 1
        return self.exchanges

    def _pieces(self, data: bytes) -> Iterator[tuple[bytes, float]]:
        """Cut bytes into pieces, each followed by a pause."""
        random = self.random
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
            yield self.random.random()

    def _finish(self) -> Steps:
        """Wait for the answers due; then leave as the behaviour says."""
        assert self.tcp is not None
        tcp, behaviour = self.tcp, self.behaviour
        if behaviour in ("vanishing", "resetting", "leaving"):
            self.world.allow_failure(self.name, f"it is {behaviour}")
            yield self.random.random() * self.random.choice((0.0, 0.01, 5.0))
            self._disconnect()
            return
        if behaviour == "late-sending":
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
        random = self.random
        fast = slow = 65_536, random.choice((1e-4, 1e-3, 0.05))
        slow_from, slow_to = inf, inf  # bytes received
        if self.behaviour == "slow-reading":
            total = self._bytes_to_receive()
            slow = 1 + total // random.choice((10, 60)), random.choice((0.5, 10.0, 35.0))
            slow_from, slow_to = random.choice(((0, inf), (0, inf), (0, total // 2), (total // 2, inf)))
        elif self.behaviour == "stalling":
            slow_from = random.randrange(self._bytes_to_receive() + 100)
        elif self.behaviour == "not-reading":
            pause = 40.0 + random.random() * 100.0
            is_short = pause < self.site.settings.stall_timeout
            self.world.allow_failure(self.name, PAUSED_READING if is_short else NOT_READING)
            yield pause
        while not self.checker.ended:
            yield lambda: self.tcp.client_can_read  # type: ignore[union-attr]
            is_slow = slow_from <= len(self.checker.all_received) < slow_to
            if is_slow and self.behaviour == "stalling":
                yield from self._stall()
                return
            size, pause = slow if is_slow else fast
            yield random.random() * pause
            try:
                data = self.tcp.client_receive(size, self.world.now)
            except Reset:
                self.checker.end("reset")
            else:
                if data is not None:
                    self.checker.receive(data)
            self._sender.notify()

    def _stall(self) -> Steps:
        """Read nothing more, until the server closes."""
        assert self.tcp is not None
        tcp = self.tcp
        self.world.allow_failure(self.name, "it stops reading")
        yield lambda: tcp.server_closed or tcp.client_reset
        self.checker.end("reset")
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
        heads = self._head_size * len(self.exchanges)
        return heads + sum(
            len(each.content) if isinstance(each.content, bytes) else each.size for each in self.exchanges
        )

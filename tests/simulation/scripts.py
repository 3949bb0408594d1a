"""Scripts: what a client sends, and what it must get for it.

An ``Exchange`` is one request with the model of its answer. All that a client writes carries its
own mark, so that an answer for another client, or one that comes twice, does not match what
is expected. The model knows the rules of HTTP and this server's routes; it shares no code with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.disk import Disk
from tests.simulation.site import piece_of
from tests.simulation.world import World

Check = Callable[[bytes], bool]
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Exchange:
    """A request, and its correct answers."""

    data: bytes
    statuses: tuple[int, ...] = (200,)
    content: bytes | Check | None = None  # None when any will do
    method: str = "GET"
    closes: bool = False  # the server closes after its answer
    keeps: bool = False  # the answer says that the connection is kept, as in HTTP/1.0
    on_disk: bool = False  # a disk fault may change the answer
    delayed_body: bytes | None = None  # content that follows only after 100 (Continue)
    compressed: bool = False  # gzip was asked for
    is_live: bool = False  # the answer comes over time: a half-close would cut it off
    is_later: bool = False  # so is one that is not known at once
    stored: tuple[str, bytes] | None = None  # the file's name and content after 201

    @property
    def words(self) -> str:
        return repr(self.data.split(b"\r\n", 1)[0].decode("latin-1"))[1:60]


def head(line: str, *fields: str) -> bytes:
    """Write a request head."""
    return "\r\n".join([line, "Host: sim", *fields, "", ""]).encode("latin-1")


def is_line(content: bytes) -> bool:
    """Return whether some content is that of an error: one line with the reason."""
    return content.endswith(b"\n") and len(content) > 3


@dataclass
class ScriptWriter:
    """Writes the exchanges of one client."""

    world: World
    disk: Disk
    name: str
    large: bool = False  # may ask for large content
    _written: int = 0
    _uploads: list[Exchange] = field(default_factory=list)

    def write(self) -> Exchange:
        """Write any exchange that leaves the connection open."""
        kind = self.world.random.choices(list(PERSISTENT), list(PERSISTENT.values()))[0]
        return kind(self)

    def write_short(self) -> Exchange:
        """Write a short exchange, whose answer is sometimes longer."""
        return self.world.random.choice(
            (ScriptWriter.root, ScriptWriter.user_agent, ScriptWriter.echo, ScriptWriter.only_head)
        )(self)

    def write_last(self) -> Exchange:
        """Write an exchange that is answered and ends the connection."""
        return self.world.random.choice(CLOSING)(self)

    def refused(self) -> Exchange:
        """Write an exchange that must be refused, and its connection closed."""
        data, status = self.world.random.choice(BROKEN)
        return Exchange(data, (status,), is_line, "POST", closes=True)

    # Texts.

    def mark(self) -> str:
        """Make a unique mark."""
        self._written += 1
        return f"{self.name}r{self._written}x{self.world.random.getrandbits(32):08x}"

    def size(self) -> int:
        """Choose a length: mostly short, sometimes long."""
        random = self.world.random
        largest = random.choice((10, 300, 3_000, 100_000 if self.large else 12_000))
        return random.randrange(largest)

    def content(self) -> bytes:
        """Make content with a mark at both ends."""
        mark = self.mark().encode()
        return mark + self.world.random.randbytes(self.size()) + mark

    def coding(self) -> tuple[bool, list[str]]:
        """Choose an Accept-Encoding line, if any."""
        return self.world.random.choice(
            (
                (False, []),
                (False, ["Accept-Encoding: gzip;q=0"]),
                (True, ["Accept-Encoding: gzip"]),
                (True, ["Accept-Encoding: br, gzip;q=0.5"]),
            )
        )

    # Exchanges that leave the connection open.

    def root(self) -> Exchange:
        return Exchange(head("GET / HTTP/1.1"), content=b"")

    def echo(self, *fields: str, closes: bool = False, version: str = "1.1") -> Exchange:
        mark = self.mark()
        text = mark + "-" * self.world.random.randrange(self.world.random.choice((5, 3_000)))
        compressed, asking = self.coding()
        data = head(f"GET /echo/{text} HTTP/{version}", *asking, *fields)
        return Exchange(data, content=text.encode(), closes=closes, compressed=compressed)

    def echo_with_content(self) -> Exchange:
        mark, content = self.mark(), self.content()
        data = head(f"GET /echo/{mark} HTTP/1.1", f"Content-Length: {len(content)}")
        return Exchange(data + content, content=mark.encode())

    def user_agent(self) -> Exchange:
        mark = self.mark()
        return Exchange(head("GET /user-agent HTTP/1.1", f"User-Agent: {mark}"), content=mark.encode())

    def only_head(self) -> Exchange:
        target = self.world.random.choice(("/echo/" + self.mark(), "/", "/files/f0", "/pieces/a/9"))
        return Exchange(head(f"HEAD {target} HTTP/1.1"), content=b"", method="HEAD", on_disk=True)

    def options(self) -> Exchange:
        target = self.world.random.choice(("*", "/", "/files/f0"))
        return Exchange(head(f"OPTIONS {target} HTTP/1.1"), (204,), b"")

    def mild_error(self) -> Exchange:
        line, status = self.world.random.choice(
            (
                ("GET /files/none", 404),
                ("GET /files/..%2Fx", 404),
                ("DELETE /echo/a", 405),
                ("BREW /", 501),
                ("GET /fails", 500),
                ("POST /nowhere", 404),
                ("POST /echo/a", 405),
            )
        )
        if not line.startswith("POST"):
            return Exchange(head(f"{line} HTTP/1.1"), (status,), is_line, on_disk=True)
        content = self.content()[:60_000]  # refused before it arrives, and then discarded
        data = head(f"{line} HTTP/1.1", f"Content-Length: {len(content)}") + content
        return Exchange(data, (status,), is_line)

    def mirror(self) -> Exchange:
        content = self.content()[:60_000]
        return self._posting("/mirror", content, (200,), content)

    def pieces(self) -> Exchange:
        mark, count = self.mark(), self.world.random.randrange(self.world.random.choice((4, 60)))
        compressed, asking = self.coding()
        content = b"".join(piece_of(mark, number) for number in range(count))
        data = head(f"GET /pieces/{mark}/{count} HTTP/1.1", *asking)
        return Exchange(data, content=content, compressed=compressed)

    def live(self) -> Exchange:
        mark, count = self.mark(), self.world.random.randrange(4)
        content = b"".join(piece_of(mark, number) for number in range(count))
        return Exchange(head(f"GET /live/{mark}/{count} HTTP/1.1"), content=content, is_live=True)

    def download(self) -> Exchange:
        """Download an initial file, or one that others may be replacing now."""
        disk = self.disk
        name = self.world.random.choice(("f0", "f1", "large" if self.large else "f1", "shared"))
        statuses = (200,) if name in disk.current else (200, 404)
        return Exchange(
            head(f"GET /files/{name} HTTP/1.1"),
            statuses,
            lambda content: content in disk.stored.get(name, ()) or (404 in statuses and is_line(content)),
            on_disk=True,
        )

    def upload(self) -> Exchange:
        content = self.content()
        name = self.world.random.choice((self.mark(), "shared"))
        self.disk.offer(name, content)
        exchange = self._posting(f"/files/{name}", content, (201,), b"", (name, content))
        if name != "shared":
            self._uploads.append(exchange)
        return exchange

    def download_own(self) -> Exchange:
        """Download a file that only this client has uploaded before."""
        if not self._uploads:
            return self.upload()
        stored = self.world.random.choice(self._uploads).stored
        assert stored is not None
        return Exchange(head(f"GET /files/{stored[0]} HTTP/1.1"), content=stored[1], on_disk=True)

    def _posting(
        self,
        target: str,
        content: bytes,
        statuses: tuple[int, ...],
        answer: bytes,
        stored: tuple[str, bytes] | None = None,
    ) -> Exchange:
        """Write a POST: with Content-Length or in chunks, and perhaps Expect: 100-continue."""
        random = self.world.random
        chunked = random.random() < 0.5
        fields = ["Transfer-Encoding: chunked"] if chunked else [f"Content-Length: {len(content)}"]
        asks = random.random() < 0.3
        fields += ["Expect: 100-continue"] if asks else []
        data = head(f"POST {target} HTTP/1.1", *fields)
        body = self._chunks(content) if chunked else content
        waits = body if asks and random.random() < 0.7 else None
        return Exchange(
            data if waits else data + body,
            statuses,
            answer,
            "POST",
            on_disk=stored is not None,
            delayed_body=waits,
            stored=stored,
        )

    def _chunks(self, content: bytes) -> bytes:
        random = self.world.random
        chunks = []
        size = random.choice((1 + len(content) // 20, 1 + len(content) // 2, 1 + len(content)))
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            extension = random.choice((b"", b";a=b", b' ; q="x;y"'))
            chunks.append(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece))
        trailer = random.choice((b"", b"X-Trailer: 1\r\n"))
        return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"

    # Exchanges that end it.

    def echo_and_close(self) -> Exchange:
        return self.echo("Connection: close", closes=True)

    def old_echo(self) -> Exchange:
        return self.echo(closes=True, version="1.0")

    def old_pieces(self) -> Exchange:
        """Ask in HTTP/1.0 for a stream, which ends with the connection."""
        mark, count = self.mark(), self.world.random.randrange(30)
        content = b"".join(piece_of(mark, number) for number in range(count))
        return Exchange(head(f"GET /pieces/{mark}/{count} HTTP/1.0"), content=content, closes=True)

    def broken_content(self) -> Exchange:
        """Break the chunked coding of an upload, which leaves nothing behind."""
        data = head(f"POST /files/{self.mark()} HTTP/1.1", "Transfer-Encoding: chunked")
        chunk = self.world.random.choice((b"5\r\nhelloX\r\n", b"-5\r\nhello\r\n", b"5\nhello\r\n"))
        return Exchange(data + b"3\r\nabc\r\n" + chunk, (400,), is_line, "POST", True, on_disk=True)

    def breaks(self) -> Exchange:
        """Ask for content that breaks off, and must not look complete."""
        count = self.world.random.randrange(4)
        return Exchange(head(f"GET /breaks/{self.mark()}/{count} HTTP/1.1"), (), closes=True)


PERSISTENT: dict[Callable[[ScriptWriter], Exchange], int] = {
    ScriptWriter.root: 2,
    ScriptWriter.echo: 6,
    ScriptWriter.echo_with_content: 1,
    ScriptWriter.user_agent: 3,
    ScriptWriter.only_head: 2,
    ScriptWriter.options: 1,
    ScriptWriter.mild_error: 2,
    ScriptWriter.mirror: 2,
    ScriptWriter.pieces: 3,
    ScriptWriter.live: 1,
    ScriptWriter.download: 4,
    ScriptWriter.upload: 5,
    ScriptWriter.download_own: 3,
}

CLOSING: tuple[Callable[[ScriptWriter], Exchange], ...] = (
    ScriptWriter.refused,
    ScriptWriter.refused,
    ScriptWriter.echo_and_close,
    ScriptWriter.old_echo,
    ScriptWriter.old_pieces,
    ScriptWriter.broken_content,
    ScriptWriter.breaks,
)

_CHUNKED = "Transfer-Encoding: chunked"
BROKEN: list[tuple[bytes, int]] = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: sim\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: sim\rX: 1\r\n\r\n", 400),
    (head("GET  / HTTP/1.1"), 400),
    (head("GET / http/1.1"), 400),
    (head("GET / HTTP/2.0"), 505),
    (head("GET /echo/%zz HTTP/1.1"), 400),
    (head("GET /echo/%ff HTTP/1.1"), 400),
    (head("GET / HTTP/1.1", "Host: two"), 400),
    (head("GET / HTTP/1.1", "X : 1"), 400),
    (head("GET / HTTP/1.1", "X: 1", " folded"), 400),
    (head("GET / HTTP/1.1", "X: a\0b"), 400),
    (head("GET / HTTP/1.1", "X: " + "a" * 9_000), 431),
    (head("GET / HTTP/1.1", *["X: 1"] * 101), 431),
    (head("GET /" + "a" * 9_000 + " HTTP/1.1"), 414),
    (head("GET / HTTP/1.1", "Expect: miracles"), 417),
    (head("POST /mirror HTTP/1.1", "Content-Length: 5", _CHUNKED) + b"0\r\n\r\n", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: 5", "Content-Length: 6") + b"hello", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: +5") + b"hello", 400),
    (head("POST /mirror HTTP/1.1", "Transfer-Encoding: zip, chunked") + b"0\r\n\r\n", 501),
    (head("POST /mirror HTTP/1.0", _CHUNKED) + b"0\r\n\r\n", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: 65537") + b"hello", 413),
    (head("POST /files/a HTTP/1.1", f"Content-Length: {2 * GIBIBYTE}") + b"hello" * 100, 413),
    (head("POST /nowhere HTTP/1.1", _CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 404),
    (head("POST /echo/a HTTP/1.1", _CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 405),
]

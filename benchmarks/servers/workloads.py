"""The workloads of each question: requests, and expected responses.

    hot, browser, varied      small responses: a short head, a browser's, a different head each time
    pipelined, new connection the same, 16 requests at once, and one request per connection
    gzip same, gzip different 1,000 bytes, compressed
    file ..., upload ...      downloads, and uploads with 16 names in turn

In a request, ``{n}`` is replaced with a new number each time. ``benchmarks.load.wrk`` sends these,
``benchmarks.servers.verify`` compares the responses.
"""

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.servers.peers import BEING_WATCHED, CLOSING, ECHO, FILES, GZIP, PIPELINED, UPLOADS

NUMBER, DIGITS = "{n}", 12
BLOCK, BLOCKS = 10**8, 10**4  # numbers per run of a load generator, and number of runs
TEXT = 1000  # bytes of a text to compress
NAMES = 16  # names for uploads
MIB = 1 << 20
SIZES = {"4 KiB": 4 << 10, "64 KiB": 64 << 10, "1 MiB": MIB, "100 MiB": 100 * MIB}
LARGE = 16 * MIB  # bytes; of larger files, too few are completed in a round
LARGE_FILE_CONNECTIONS = 8  # for files from LARGE on

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "DNT: 1",
    "Connection: keep-alive",
    "Upgrade-Insecure-Requests: 1",
    "Cache-Control: max-age=0",
)
VOCABULARY = (
    "reactor loop handle selector event deadline handler octet request response field line target "
    "content chunk coding length header method status version cache range validator date server "
    "client connection upgrade trailer accept encoding language charset quality weight"
)


@dataclass(frozen=True)
class Workload:
    """One kind of load; sizes are in bytes."""

    name: str
    needs: str  # feature of the server
    targets: tuple[str, ...] = ("/echo/abc",)  # used in turn
    lines: tuple[str, ...] = ()  # header lines in addition to Host
    size: int = 0  # of the file
    depth: int = 1  # pipelined requests per batch

    @property
    def method(self) -> str:
        """The request method."""
        return "POST" if self.needs == UPLOADS else "GET"

    @property
    def content(self) -> bytes:
        """The content of the file."""
        return file_content(self.size)

    def at(self, target: str) -> "Workload":
        """Return the workload with all requests for one target; with its own targets, if that is empty."""
        return replace(self, targets=(target,)) if target else self

    def connections(self, wanted: int) -> int:
        """Return the number of connections to use; fewer than wanted for large files."""
        return min(wanted, LARGE_FILE_CONNECTIONS) if self.size >= LARGE else wanted

    def requests(self, host: str) -> Iterator[bytes]:
        """Yield the request template of each target, as bytes."""
        content = self.content if self.needs == UPLOADS else b""
        length = (f"Content-Length: {len(content)}",) if content else ()
        for target in self.targets:
            head = (f"{self.method} {target} HTTP/1.1", f"Host: {host}", *self.lines, *length, "", "")
            yield ("\r\n".join(head).encode() + content) * self.depth


def numbered(template: bytes, number: int) -> bytes:
    """Fill in a number, with a fixed number of digits.

    >>> numbered(b"/echo/{n}", 7)
    b'/echo/000000000007'
    """
    return template.replace(NUMBER.encode(), b"%0*d" % (DIGITS, number))


_blocks = itertools.count()


def fresh_numbers() -> int:
    """Return the first of a block of unused numbers."""
    return next(_blocks) % BLOCKS * BLOCK


@functools.cache
def file_content(size: int) -> bytes:
    """Return reproducible, printable content of a size, in which no two pieces are equal."""
    piece = min(size, MIB)
    block = random.Random(piece).randbytes(piece // 2 + 1).hex().encode()[:piece]
    return b"".join(b"%016d" % position + block[16:] for position in range(0, size, piece or 1))


def _text(seed: int) -> str:
    """Return a text of 1,000 bytes, including a number."""
    words = random.Random(seed).choices(VOCABULARY.split(), k=TEXT)
    return "-".join([NUMBER, *words])[: TEXT - DIGITS + len(NUMBER)]


def _gzip(name: str, *texts: str) -> Workload:
    return Workload(name, GZIP, tuple(f"/echo/{text}" for text in texts), ("Accept-Encoding: gzip",))


def _file(kind: str, needs: str, size: str) -> Workload:
    name = f"{kind} {size}"
    ends = [""] if needs == FILES else [f"-{number:02}" for number in range(NAMES)]
    targets = tuple(f"/files/{name.replace(' ', '-')}{end}" for end in ends)
    return Workload(name, needs, targets, size=SIZES[size])


HOT = Workload("hot", ECHO)
BY_QUESTION = {
    "throughput": (
        HOT,
        Workload("browser", ECHO, lines=BROWSER),
        Workload("varied", ECHO, (f"/echo/{NUMBER}",), (*BROWSER, f"X-Request-Id: {NUMBER}")),
        Workload("pipelined", PIPELINED, depth=16),
        Workload("new connection", CLOSING, lines=("Connection: close",)),
    ),
    "compression": (
        _gzip("gzip same", _text(0).replace(NUMBER, "0" * DIGITS)),
        _gzip("gzip different", *map(_text, range(64))),
    ),
    "files": (
        *(_file("file", FILES, size) for size in SIZES),
        *(_file("upload", UPLOADS, size) for size in ("4 KiB", "1 MiB")),
    ),
    "watching": (Workload("watched", BEING_WATCHED),),
}
WORKLOADS = {each.name: each for several in BY_QUESTION.values() for each in several}

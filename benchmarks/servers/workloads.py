"""The workloads: requests, and expected responses.

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

NUMBER = "{n}"
DIGITS = 12
BLOCK, BLOCKS = 10**8, 10**4  # numbers per run of a load generator, and number of runs
TEXT = 1000  # bytes of a text to compress
TEXTS = 64  # different texts, each with a number
NAMES = 16  # names for uploads
DEPTH = 16
KIB, MIB = 1 << 10, 1 << 20
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
    lines: tuple[str, ...] = ()  # header lines in addition to Host
    targets: tuple[str, ...] = ("/echo/abc",)  # used in turn
    method: str = "GET"
    size: int = 0  # of the file
    depth: int = 1  # pipelined requests per batch

    @property
    def coding(self) -> str:
        """The expected content coding."""
        return "gzip" if self.needs == GZIP else ""

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
        upload = self.method == "POST"
        for target in self.targets:
            length = (f"Content-Length: {self.size}",) if upload else ()
            head = (f"{self.method} {target} HTTP/1.1", f"Host: {host}", *self.lines, *length, "", "")
            yield ("\r\n".join(head).encode() + (self.content if upload else b"")) * self.depth


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


def file_name(size: int) -> str:
    """Return the file name for downloads of a size.

    >>> file_name(64 << 10), file_name(1 << 20)
    ('64-KiB', '1-MiB')
    """
    return f"{size // MIB}-MiB" if size >= MIB else f"{size // KIB}-KiB"


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


def _file(size: int) -> Workload:
    name = file_name(size)
    return Workload(f"file {name.replace('-', ' ')}", FILES, targets=(f"/files/{name}",), size=size)


def _upload(size: int) -> Workload:
    name = file_name(size)
    targets = tuple(f"/files/upload-{name}-{number:02}" for number in range(NAMES))
    return Workload(f"upload {name.replace('-', ' ')}", UPLOADS, (), targets, "POST", size)


_GZIP_LINE = ("Accept-Encoding: gzip",)

HOT = Workload("hot", ECHO)
WATCHED = Workload("watched", BEING_WATCHED)
SMALL = (
    HOT,
    Workload("browser", ECHO, BROWSER),
    Workload("varied", ECHO, (*BROWSER, f"X-Request-Id: {NUMBER}"), (f"/echo/{NUMBER}",)),
    Workload("pipelined", PIPELINED, depth=DEPTH),
    Workload("new connection", CLOSING, ("Connection: close",)),
)
COMPRESSED = (
    Workload("gzip same", GZIP, _GZIP_LINE, (f"/echo/{_text(0).replace(NUMBER, '0' * DIGITS)}",)),
    Workload("gzip different", GZIP, _GZIP_LINE, tuple(f"/echo/{_text(seed)}" for seed in range(TEXTS))),
)
DOWNLOADED = tuple(_file(size) for size in (4 * KIB, 64 * KIB, MIB, 100 * MIB))
UPLOADED = tuple(_upload(size) for size in (4 * KIB, MIB))

_ALL = (*SMALL, *COMPRESSED, *DOWNLOADED, *UPLOADED, WATCHED)
WORKLOADS: dict[str, Workload] = {each.name: each for each in _ALL}

"""The workloads of each question (workloads.toml): requests, and the content of files.

``benchmarks.load.wrk`` sends the requests, ``benchmarks.servers.verify`` compares the responses. Texts and
the order of header lines are drawn from a seed, and differ in each round: no cache can be tuned to them.
"""

import functools
import itertools
import random
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.servers.peers import UPLOADS

NUMBER, DIGITS = "{n}", 12
BLOCK, BLOCKS = 10**8, 10**4  # numbers per run of a load generator, and number of runs
TEXT = 1000  # bytes of a text to compress
TEXTS = {"{text}": "0" * DIGITS, "{new text}": NUMBER}  # what a text includes, by placeholder
MIB = 1 << 20
LARGE = 16 * MIB  # bytes; of larger files, too few are completed in a round
LARGE_FILE_CONNECTIONS = 8  # for files from LARGE on
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
    targets: tuple[str, ...] = ("/echo/abc",)  # of requests that are used in turn
    lines: tuple[str, ...] = ()  # header lines in addition to Host
    size: int = 0  # of the file
    depth: int = 1  # pipelined requests per batch
    seed: str = ""  # of a round

    @property
    def content(self) -> bytes:
        """The content of the file."""
        return file_content(self.size)

    def at(self, target: str) -> "Workload":
        """Return the workload with all requests for one target; with its own targets, if that is empty."""
        return replace(self, targets=(target,) * len(self.targets)) if target else self

    def connections(self, wanted: int) -> int:
        """Return the number of connections to use; fewer than wanted for large files."""
        return min(wanted, LARGE_FILE_CONNECTIONS) if self.size >= LARGE else wanted

    def requests(self, host: str) -> Iterator[bytes]:
        """Yield the template of a request for each target, with its text and the order of its lines drawn."""
        draw = random.Random(f"{self.name} {self.seed}")
        method, content = ("POST", self.content) if self.needs == UPLOADS else ("GET", b"")
        lines = [f"Host: {host}", *self.lines, *[f"Content-Length: {len(content)}"] * bool(content)]
        for target in self.targets:
            for placeholder in TEXTS.keys() & {target.removeprefix("/echo/")}:
                target = f"/echo/{_text(draw, TEXTS[placeholder])}"
            draw.shuffle(lines)
            yield "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode() + content


def numbered(template: bytes, number: int) -> bytes:
    """Fill in a number, with a fixed number of digits.

    >>> numbered(b"/echo/{n}", 7)
    b'/echo/000000000007'
    """
    return template.replace(NUMBER.encode(), b"%0*d" % (DIGITS, number))


_blocks = itertools.count(int(time.time()))  # a server at a URL may have received those of another run


def fresh_numbers() -> int:
    """Return the first of a block of unused numbers."""
    return next(_blocks) % BLOCKS * BLOCK


@functools.cache
def file_content(size: int) -> bytes:
    """Return reproducible, printable content of a size, in which no two pieces are equal."""
    piece = min(size, MIB)
    block = random.Random(piece).randbytes(piece // 2 + 1).hex().encode()[:piece]
    return b"".join(b"%016d" % position + block[16:] for position in range(0, size, piece or 1))


def _text(draw: random.Random, number: str) -> str:
    """Return a text of 1,000 bytes, with a number somewhere in it."""
    text = "-".join(draw.choices(VOCABULARY.split(), k=TEXT))[: TEXT - DIGITS]
    place = draw.randrange(len(text))
    return text[:place] + number + text[place:]


def _workloads(rows: dict[str, dict[str, Any]]) -> Iterator[Workload]:
    lines: dict[str, list[str]] = {}
    for name, row in rows.items():
        lines[name] = lines.get(row.get("like", ""), []) + row.get("lines", [])
        target = row.get("target", "/echo/abc")
        targets = tuple(target.replace("{i}", f"{index:02}") for index in range(row.get("different", 1)))
        sizes = {key: row[key] for key in ("size", "depth") if key in row}
        yield Workload(name, row["needs"], targets, tuple(lines[name]), **sizes)


_TABLES = tomllib.loads(Path(__file__).with_name("workloads.toml").read_text())
BY_QUESTION = {question: tuple(_workloads(rows)) for question, rows in _TABLES.items()}
WORKLOADS = {each.name: each for several in BY_QUESTION.values() for each in several}
HOT = WORKLOADS["hot"]

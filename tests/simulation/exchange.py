"""Exchanges: a request with the model of its correct answers, and what all writers of exchanges use.

A ``Verify`` is given an answer and its decoded content, and returns what is wrong with it, "" for nothing.
Most exchanges with files are composed twice: when the script is written, and again just before they are
sent, with the entity tags and the uploads that are known then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.disk import Disk
from tests.simulation.features import basic
from tests.simulation.world import World
from tests.support.in_process import Answer

if TYPE_CHECKING:
    from tests.simulation.resumption import OwnUpload

Check = Callable[[bytes], bool]
Verify = Callable[[Answer, bytes], str]
Fields = dict[str, str | None]
GIBIBYTE = 1 << 30
PRESENT = "(any)"  # the value of a field that must be there


@dataclass(frozen=True)
class Exchange:
    """A request, and its correct answers."""

    data: bytes
    statuses: tuple[int, ...] = (200,)
    content: bytes | Check | None = None  # None when any will do
    method: str = "GET"
    closes: bool = False  # the server closes after its answer
    may_close: tuple[int, ...] = ()  # the statuses that may refuse the body, and close the connection
    keeps: bool = False  # the answer says that the connection is kept, as in HTTP/1.0
    on_disk: bool = False  # a disk fault may change the answer
    delayed_body: bytes | None = None  # content that follows only after 100 (Continue)
    compressed: bool = False  # gzip was asked for
    invites: bool = True  # 100 (Continue) may come
    is_live: bool = False  # the answer comes over time: a half-close would cut it off
    is_later: bool = False  # so is one that is not known at once
    is_upload: bool = False  # it fails if the shared directory is replaced
    verify: Verify | None = None  # the rest of what is right, for one of the statuses
    on_interim: Callable[[Answer], str] | None = None  # verifies a 104
    began: float = 0.0  # when it was composed
    size: int = 500  # of the answer, about
    waits: bool = False  # is sent after all earlier answers
    compose: Callable[[], "Exchange"] | None = None  # makes the exchange again, to be sent now

    @property
    def is_old(self) -> bool:
        """Whether the request is one of HTTP/1.0."""
        return self.data.lstrip().partition(b"\r\n")[0].endswith(b" HTTP/1.0")

    @property
    def words(self) -> str:
        return repr(self.data.split(b"\r\n", 1)[0].decode("latin-1"))[1:60]


def head(line: str, *fields: str) -> bytes:
    """Write a request head."""
    return "\r\n".join([line, "Host: sim", *fields, "", ""]).encode("latin-1")


def is_line(content: bytes) -> bool:
    """Return whether some content is that of an error: one line with the reason."""
    return content.endswith(b"\n") and len(content) > 3


def explain_wrong_fields(headers: dict[str, str], right: Fields) -> str:
    """Return what is wrong with some fields; those with None must be absent. Lists may have any order."""
    for name, value in right.items():
        found = headers.get(name)
        if value == PRESENT and found:
            continue
        if found is None or value is None:
            equal = found is value
        else:
            equal = set(found.split(", ")) == set(value.split(", "))
        if not equal:
            return f"{name} is {found!r}, not {value!r}"
    return ""


def has_fields(**right: str | None) -> Verify:
    """Return the check of some fields, with an underscore for each hyphen."""
    fields = {name.replace("_", "-"): value for name, value in right.items()}
    return lambda answer, content: explain_wrong_fields(answer.headers, fields)


@dataclass
class Writer:
    """Writes parts of the exchanges of one client."""

    world: World
    disk: Disk
    name: str
    large: bool = False  # may ask for large content
    own_files: list[str] = field(default_factory=list)  # the paths of its uploads
    resumables: "list[OwnUpload]" = field(default_factory=list)
    guesses: int = 0  # how many wrong passwords it sends
    _written: int = 0

    def head(self, line: str, *fields: str) -> bytes:
        """Write a request head with the password that it needs."""
        passwords = self.disk.features.passwords(line.partition(" ")[0])
        signed = [basic(self.world.random.choice(passwords))] if passwords else []
        return head(line, *signed, *fields)

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
                (False, ["Accept-Encoding: gzip;q=0, identity;q=0"]),
                (False, ["Accept-Encoding: gzip;q=0.5, identity;q=0.7"]),
                (True, ["Accept-Encoding: gzip"]),
                (True, ["Accept-Encoding: br;q=0, gzip;q=0.5"]),
            )
        )

    def posting(
        self, line: str, content: bytes, statuses: tuple[int, ...], answer: bytes | None, *fields: str
    ) -> Exchange:
        """Write a request with content: with Content-Length or in chunks, and perhaps with Expect."""
        random = self.world.random
        chunked = random.random() < 0.5
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(content)}"
        asks = ["Expect: 100-continue"] if random.random() < 0.3 else []
        data = self.head(f"{line} HTTP/1.1", framing, *asks, *fields)
        body = self._chunks(content) if chunked else content
        waits = body if asks and random.random() < 0.7 else None
        return Exchange(data if waits else data + body, statuses, answer, "POST", delayed_body=waits)

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

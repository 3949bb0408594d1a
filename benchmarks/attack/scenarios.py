"""The attack scenarios, what their attackers send, and two scales."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attack.attackers import Plan
from benchmarks.results.units import GIB
from benchmarks.servers.workloads import MIB, numbered

# What attackers send.

START = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
LARGE = b"GET /files/large HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD_BEGUN = b"GET /echo/slow HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
UPLOAD = b"POST /files/slow-{n} HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n"
BOMB = b"POST /files/bomb HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
STORM = b"GET /echo/storm HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1400  # about 64 KiB
ECHOES = b"GET /echo/abc HTTP/1.1\r\nHost: localhost\r\n\r\n" * 63
LAST_ECHO = b"GET /echo/end HTTP/1.1\r\nHost: localhost\r\n\r\n"
READ = b"GET /files/%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b\r\n\r\n"
LARGE_FILE = b"%b /files/large-{n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
FORM = (
    b"POST /files/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nContent-Type: multipart/form-data; "
)
FORM_FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="form-{n}-%03d"\r\n\r\n%b\r\n'


def many(line: bytes, count: int) -> bytes:
    """Return ``count`` numbered lines."""
    return b"".join(line % number for number in range(count))


def form(files: int) -> bytes:
    """Return a request that stores so many files of 4 KiB."""
    body = b"".join(FORM_FILE % (number, b"x" * 4096) for number in range(files)) + b"--x--\r\n"
    return FORM % len(numbered(body, 0)) + b"boundary=x\r\n\r\n" + body


HEADER_BOMBS = (
    Plan(START + many(b"X-%d: a\r\n", 2000) + b"\r\n", expects="431"),
    Plan(START + b"X: " + b"a" * (1 << 20), expects="431"),
    Plan(START + (b"X: " + b"a" * 8000 + b"\r\n") * 100, expects="431"),
    Plan(b"GET /" + b"a" * (1 << 20), expects="414"),
    Plan(
        b"GET /echo/" + b"%61" * 2600 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        expects="200",
    ),
    Plan(b"\r\n" * 10_000 + START, expects="400"),
)
NEVER_CACHED = Plan(START + many(b"X-%d: {n}\r\n", 95) + b"\r\n", expects="200")
CHUNK_BOMBS = (
    Plan(BOMB + b"1;" + b"a" * (1 << 20), expects="400"),
    Plan(BOMB + b"F" * 16 + b"\r\n" + b"x" * 1000, expects="413"),
    Plan(BOMB + b"0" * (1 << 20), expects="400"),
    Plan(BOMB + b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n", expects="201"),
    Plan(BOMB + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 250 + b"0\r\n\r\n", expects="400"),
    Plan(BOMB + b"0\r\n" + many(b"X-%d: a\r\n", 2000) + b"\r\n", expects="431"),
)
PLANS: Mapping[str, Sequence[Plan]] = {
    "slow-heads": [Plan(HEAD_BEGUN, drips=b"a")],
    "slow-bodies": [
        Plan(UPLOAD % b"Content-Length: 1000000", drips=b"x"),
        Plan(UPLOAD % b"Transfer-Encoding: chunked", drips=b"1\r\nx\r\n"),
    ],
    "slow-readers": [Plan(LARGE, reads=0), Plan(LARGE, reads=256)],
    "flood": [Plan()],
    "flood-of-heads": [Plan(HEAD_BEGUN)],
    "descriptors": [Plan(LARGE, stalls=True), Plan(UPLOAD % b"Content-Length: 9", stalls=True)],
    "storm": [Plan(STORM, endless=True, reads=0)],
    "header-bombs": [plan for bomb in HEADER_BOMBS for plan in (bomb, NEVER_CACHED)],
    "chunk-bombs": CHUNK_BOMBS,
    "idle": [Plan(), Plan(START + b"\r\n")],
    "pipelines": [Plan(ECHOES + LAST_ECHO, again_after=b"end")],
    "compressions": [Plan(READ % (b"text.txt", b"Accept-Encoding: gzip"))],
    "listings": [Plan(READ % (b"many/", b"Accept: text/html"))],
    "replaced": [Plan(LARGE_FILE % (b"POST", 5) + b"short", expects="201")],
    "deleted": [Plan(LARGE_FILE % (b"DELETE", 0), expects="204")],
    "aborted": [Plan(LARGE_FILE % (b"POST", 2 * GIB - 1), uploads=True)],
    "last-descriptor": [Plan(LARGE_FILE % (b"GET", 0), stalls=True, removes=True)],
    "form": [Plan(form(100), expects="303")],
}


@dataclass(frozen=True)
class Scale:
    """The size of an attack; times are in seconds."""

    share: float  # of the scenario's attackers
    honest: int
    interval: float  # between two requests of an honest client
    attack: float  # duration of the attack; other phases are shorter
    timeout: float  # for the server's timeouts, whose defaults would take minutes
    haste: float  # factor for the attackers' interval; 0.1 is ten times as fast
    large: int  # bytes of a large file


FULL = Scale(share=1, honest=50, interval=0.1, attack=6, timeout=5, haste=1, large=GIB)
QUICK = Scale(share=0.05, honest=10, interval=0.05, attack=1.2, timeout=0.8, haste=0.2, large=64 * MIB)


@dataclass(frozen=True)
class Scenario:
    """One kind of attack: a row of scenarios.toml."""

    name: str
    plans: Sequence[Plan]
    what: str
    attackers: int  # at full scale
    expected_events: Mapping[str, float]  # before the attack may end: their number per attacker
    timeouts: Sequence[str] = ()  # of the server, set to the timeout of the scale
    interval: float = 1.0  # seconds between two actions of an attacker
    holds_still: bool = False  # whether attackers are inactive until the server's timeouts
    honest: int = 1 << 20  # maximum of honest clients
    min_attackers: int = 1  # at any scale
    arrival_seconds: float = 1.0  # seconds in which the attackers connect
    open_file_limit: int = 0  # the server's ulimit -n; 0: the highest possible
    expected_log: str = ""  # required text in the server's log
    max_connections: float = 0  # the server's connection limit, as a share of the attackers; 0: its default
    forbidden_events: Sequence[str] = ()  # events that must not occur
    rests: bool = True  # whether the attackers leave the server idle when they do not reconnect
    returning: bool = True  # whether they reconnect
    options: Sequence[str] = ()  # of the server
    on_disk: bool = False  # whether the server needs a directory on a disk
    large_files: bool = False  # whether it shares a large file for each attacker
    text: int = 0  # bytes of text.txt, at full scale
    entries: int = 0  # of the directory many, at full scale

    def count(self, scale: Scale) -> int:
        """Return the number of attackers."""
        return max(self.min_attackers, round(self.attackers * scale.share))

    def environment(self, scale: Scale) -> list[str]:
        """Return the words before the server's command that set its limits and timeouts."""
        files = ["sh", "-c", f'ulimit -n {self.open_file_limit} && exec "$@"', "sh"]
        limit = [f"REACTOR_MAX_CONNECTIONS={self.limit(scale)}"] if self.max_connections else []
        timeouts = (f"REACTOR_{name}_TIMEOUT={scale.timeout:g}" for name in self.timeouts)
        return [*(files if self.open_file_limit else []), "env", *limit, *timeouts]

    def stored(self, scale: Scale) -> int:
        """Return the bytes that are written to the disk, at most."""
        return scale.large * self.count(scale) if self.on_disk else 0

    def limit(self, scale: Scale) -> int:
        """Return the server's connection limit."""
        return round(self.max_connections * self.count(scale))


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
SCENARIOS = tuple(Scenario(name, PLANS[name], **row) for name, row in _ROWS.items())

"""The servers that are compared, side by side: for each its version, what it lacks, and its command line.

    bare loop     the floor: receives, sends a constant, does nothing else
    reactor       this server, without its access log; "reactor +log" writes it, to /dev/null; and
                  "explained", "traced" and "inspected" are the same, watched
    the others    the fastest set-up that their own documentation recommends for one process

Each serves the same four things in the way that is usual for it (``benchmarks/servers/apps``): a text out of
the path, the same compressed, files out of a directory, and uploads into it. All use one process that
works, keep idle connections for 75 seconds where they let themselves be told, and write no log of
requests. This module starts nothing; ``benchmarks.servers.process`` does.
"""

import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import reactor

APPS = Path(__file__).with_name("apps")

# What a server can be asked for; a workload needs one of these.
ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS = "echo", "pipelined", "closing", "gzip", "files", "uploads"
BEING_WATCHED = "being watched"  # which is of interest with this server alone
EVERYTHING = frozenset({ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS})


@dataclass(frozen=True)
class Adapter:
    """One server: ``argv`` is its command line, in which {port}, {directory}, {scratch} are filled in."""

    name: str
    argv: Sequence[str]
    packages: Sequence[str] = ()  # of Python, as pip names them; the server's own is the first
    serves: frozenset[str] = EVERYTHING
    why_not: str = "serves nothing of the kind"
    constant: bool = False  # answers "abc" whatever is asked: the floor does

    def version(self) -> str:
        """Return what was measured, with the parts that make it fast."""
        if not self.packages:
            return f"Python {platform.python_version()}"
        first, *others = (f"{name} {metadata.version(name)}" for name in self.packages)
        return f"{first} ({', '.join(others)})" if others else first

    def missing(self) -> str | None:
        """Return why it cannot be measured here; None when it can."""
        for name in self.packages:
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                return f"{name} is not installed (pip install '.[bench]')"
        return None

    def command(self, port: int, directory: Path, scratch: Path, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that serves a directory on a port of the loopback.

        ``scratch`` is an empty directory for what the server needs besides; it is removed afterwards.
        """
        places = {"port": str(port), "directory": str(directory), "scratch": str(scratch)}
        return [_fill(word, places) for word in self.argv] + list(options)


class Reactor(Adapter):
    """This server, out of this working tree."""

    def version(self) -> str:
        """Return its version, and Python's."""
        return f"reactor {reactor.__version__} (Python {platform.python_version()})"


class Nginx(Adapter):
    """Is told everything in a file of its own."""

    def version(self) -> str:
        """Return what it says itself."""
        said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        return said.strip().rpartition(": ")[2]

    def missing(self) -> str | None:
        """Say whether it is there at all."""
        return None if shutil.which("nginx") else "nginx is not installed (Debian: apt-get install nginx)"

    def command(self, port: int, directory: Path, scratch: Path, options: Sequence[str] = ()) -> list[str]:
        """Write its configuration, and return the command line."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        places = {"port": str(port), "directory": str(directory), "scratch": str(scratch), "user": user}
        (scratch / "nginx.conf").write_text(_fill((APPS / "nginx.conf").read_text(), places))
        return super().command(port, directory, scratch, options)


def _fill(text: str, places: dict[str, str]) -> str:
    return re.sub(r"{(port|directory|scratch|user)}", lambda match: places[match[1]], text)


def _python(*argv: str) -> list[str]:
    return [sys.executable, "-m", *argv]


def _app(*argv: str) -> list[str]:
    """Run something that imports one of the apps, which are told the directory by the environment."""
    return ["env", "BENCHMARK_DIRECTORY={directory}", *_python(*argv)]


# The inspector listens on a port of its own.
WAYS_TO_WATCH = {
    "explained": ["--explain"],
    "traced": ["--trace", os.devnull, "--trace-limit", "1T"],
    "inspected": ["--inspect", "127.0.0.1:0"],
}
WSGI, ASGI = "benchmarks.servers.apps.wsgi:application", "benchmarks.servers.apps.asgi:application"
_REACTOR = _python("reactor", "--port", "{port}", "--directory", "{directory}")

_ALL = (
    Adapter(
        "bare loop",
        _python("benchmarks.bare_loop", "{port}"),
        serves=frozenset({ECHO}),
        why_not="is the floor of small texts alone",
        constant=True,
    ),
    Reactor("reactor", [*_REACTOR, "--no-access-log"], serves=EVERYTHING | {BEING_WATCHED}),
    Reactor(
        "reactor +log", _REACTOR, serves=frozenset({ECHO, BEING_WATCHED}), why_not="is for small texts alone"
    ),
    Nginx(
        "nginx",
        ["nginx", "-p", "{scratch}", "-c", "{scratch}/nginx.conf", "-e", "stderr"],
        serves=EVERYTHING - {UPLOADS},
        why_not="stores what is PUT, but not what is POSTed",
    ),
    Adapter(
        "bjoern",
        _app("benchmarks.servers.apps.bjoern_app", "{port}"),
        ["bjoern"],
        serves=EVERYTHING - {PIPELINED},
        why_not="answers the first of requests that come at once, and no other",
    ),
    Adapter(
        "uvicorn",
        _app(
            *("uvicorn", ASGI, "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
            *("--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off"),
            *("--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "75"),
            *("--backlog", "4096"),
        ),
        ["uvicorn", "uvloop", "httptools", "starlette"],
    ),
    Adapter(
        "granian",
        _app(
            *("granian", WSGI, "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"),
            *("--workers", "1", "--http", "1", "--no-ws", "--log-level", "warning"),
            *("--backlog", "16384"),
        ),
        ["granian"],
    ),
    Adapter(
        "gunicorn",
        _app(
            *("gunicorn", WSGI, "--bind", "127.0.0.1:{port}", "--workers", "1"),
            *("--worker-class", "gthread", "--threads", "4", "--worker-connections", "16384"),
            *("--keep-alive", "75", "--backlog", "4096", "--log-level", "warning"),
        ),
        ["gunicorn"],
    ),
    Adapter(
        "waitress",
        _app(
            *("waitress", "--host=127.0.0.1", "--port={port}", "--threads=4", "--backlog=4096"),
            *("--connection-limit=16384", "--asyncore-use-poll", WSGI),
        ),
        ["waitress"],
    ),
    Adapter("aiohttp", _app("benchmarks.servers.apps.aiohttp_app", "{port}"), ["aiohttp"]),
    Adapter("tornado", _app("benchmarks.servers.apps.tornado_app", "{port}"), ["tornado"]),
    Adapter("http.server", _app("benchmarks.servers.apps.http_server", "{port}")),
    *(
        Reactor(
            name,
            [*_REACTOR, *options],
            serves=frozenset({BEING_WATCHED}),
            why_not="is for the cost of being watched alone",
        )
        for name, options in WAYS_TO_WATCH.items()
    ),
)

PEERS: dict[str, Adapter] = {each.name: each for each in _ALL}  # in the order of showing them

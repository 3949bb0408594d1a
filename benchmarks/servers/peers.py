"""The servers under comparison (peers): version, availability and command line of each.

    bare loop     the floor: receives, sends a constant response, does nothing else
    reactor       this server, without access log; "reactor +log" writes it to /dev/null; "explained",
                  "traced" and "inspected" add an observe option to that
    the others    the fastest configuration for one process that their documentation recommends

Each serves the text in the path, plain or compressed, and files and uploads in a directory, in its usual
way (``benchmarks/servers/apps``). All use one worker process, keep idle connections for 75 seconds where
configurable, and have no access log.
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

# Features of servers; a workload needs one of these.
ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS = "echo", "pipelined", "closing", "gzip", "files", "uploads"
BEING_WATCHED = "being watched"  # only reactor with observe options
EVERYTHING = frozenset({ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS})


@dataclass(frozen=True)
class Adapter:
    """One server; ``argv`` is its command line, with placeholders {port}, {directory}, {scratch}."""

    name: str
    argv: Sequence[str]
    packages: Sequence[str] = ()  # Python packages, the server's own first
    serves: frozenset[str] = EVERYTHING
    why_not: str = "unsupported"
    constant: bool = False  # always responds with "abc"

    def version(self) -> str:
        """Return the versions of the server and of its packages."""
        if not self.packages:
            return f"Python {platform.python_version()}"
        first, *others = (f"{name} {metadata.version(name)}" for name in self.packages)
        return f"{first} ({', '.join(others)})" if others else first

    def missing(self) -> str | None:
        """Return why the server cannot be run, or None."""
        for name in self.packages:
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                return f"{name} is not installed (pip install '.[bench]')"
        return None

    def command(self, port: int, directory: Path, scratch: Path, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that serves a directory on a loopback port.

        ``scratch`` is an empty temporary directory for configuration files.
        """
        places = {"port": str(port), "directory": str(directory), "scratch": str(scratch)}
        return [_fill(word, places) for word in self.argv] + list(options)


class Reactor(Adapter):
    """This server, from this working tree."""

    def version(self) -> str:
        """Return the versions of reactor and Python."""
        return f"reactor {reactor.__version__} (Python {platform.python_version()})"


class Nginx(Adapter):
    """nginx, configured by a file."""

    def version(self) -> str:
        """Return the output of nginx -v."""
        output = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        return output.strip().rpartition(": ")[2]

    def missing(self) -> str | None:
        """Return why nginx cannot be run, or None."""
        return None if shutil.which("nginx") else "nginx is not installed (Debian: apt-get install nginx)"

    def command(self, port: int, directory: Path, scratch: Path, options: Sequence[str] = ()) -> list[str]:
        """Write the configuration file, and return the command line."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        places = {"port": str(port), "directory": str(directory), "scratch": str(scratch), "user": user}
        (scratch / "nginx.conf").write_text(_fill((APPS / "nginx.conf").read_text(), places))
        return super().command(port, directory, scratch, options)


def _fill(text: str, places: dict[str, str]) -> str:
    return re.sub(r"{(port|directory|scratch|user)}", lambda match: places[match[1]], text)


def _python(*argv: str) -> list[str]:
    return [sys.executable, "-m", *argv]


def _app(*argv: str) -> list[str]:
    """Run a server with one of the apps, which read the directory from the environment."""
    return ["env", "BENCHMARK_DIRECTORY={directory}", *_python(*argv)]


# Observe options; the inspector listens on its own port.
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
        why_not="only measured with small responses",
        constant=True,
    ),
    Reactor("reactor", [*_REACTOR, "--no-access-log"], serves=EVERYTHING | {BEING_WATCHED}),
    Reactor(
        "reactor +log",
        _REACTOR,
        serves=frozenset({ECHO, BEING_WATCHED}),
        why_not="only measured with small responses",
    ),
    Nginx(
        "nginx",
        ["nginx", "-p", "{scratch}", "-c", "{scratch}/nginx.conf", "-e", "stderr"],
        serves=EVERYTHING - {UPLOADS},
        why_not="unsupported: uploads by POST",
    ),
    Adapter(
        "bjoern",
        _app("benchmarks.servers.apps.bjoern_app", "{port}"),
        ["bjoern"],
        serves=EVERYTHING - {PIPELINED},
        why_not="unsupported: pipelining",
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
            why_not="only measured for the cost of observing",
        )
        for name, options in WAYS_TO_WATCH.items()
    ),
)

PEERS: dict[str, Adapter] = {each.name: each for each in _ALL}  # in display order

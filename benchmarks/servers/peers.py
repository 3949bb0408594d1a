"""The servers under comparison (peers.toml): version, availability and command line of each."""

import os
import platform
import pwd
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import reactor
from benchmarks.results.environment import first_output_line

APPS = Path(__file__).with_name("apps")

# Features of servers; a workload needs one of these.
ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS = "echo", "pipelined", "closing", "gzip", "files", "uploads"
BEING_WATCHED = "being watched"  # only reactor with observe options
EVERYTHING = frozenset({ECHO, PIPELINED, CLOSING, GZIP, FILES, UPLOADS})
WAYS_TO_WATCH = {"explained": ["--explain"], "traced": ["--trace"], "inspected": ["--inspect"]}


@dataclass(frozen=True)
class Adapter:
    """One server; see peers.toml. ``argv`` is its command line, with placeholders."""

    name: str
    argv: Sequence[str]
    packages: Sequence[str] = ()
    program: str = ""
    template: str = ""
    serves: frozenset[str] = EVERYTHING
    why_not: str = "unsupported"
    content: bytes | None = None  # the body of every response; None: as the request says
    # Of a server of the user (own.py):
    target: str = ""  # of every request; empty: as the workload says (Reactor from another checkout)
    address: tuple[str, int] | None = None  # of a server that is running already
    cwd: Path | None = None  # where it is started; None: in the root of this working tree

    def version(self) -> str:
        """Return the versions of the server and of its packages."""
        if self.target:
            return "unknown"
        if self.cwd:
            commit = first_output_line("git", "-C", str(self.cwd), "rev-parse", "--short=10", "HEAD")
            return f"commit {commit}"
        if self.program:
            output = subprocess.run([self.program, "-v"], capture_output=True, text=True, check=True).stderr
            return output.strip().rpartition(": ")[2]
        python = f"Python {platform.python_version()}"
        if not self.packages:
            return f"reactor {reactor.__version__} ({python})" if "reactor" in self.argv else python
        first, *others = (f"{name} {metadata.version(name)}" for name in self.packages)
        return f"{first} ({', '.join(others)})" if others else first

    def missing(self) -> str | None:
        """Return why the server cannot be run, or None."""
        if self.program and not shutil.which(self.program):
            return f"{self.program} is not installed (Debian: apt-get install {self.program})"
        for name in self.packages:
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                return f"{name} is not installed (pip install '.[bench]')"
        return None

    def command(self, port: int, directory: Path, scratch: Path) -> list[str]:
        """Return the command line that serves a directory on a loopback port; write its template.

        ``scratch`` is an empty temporary directory for configuration files.
        """
        user = pwd.getpwuid(os.geteuid()).pw_name
        values = {"port": port, "directory": directory, "scratch": scratch, "user": user}
        if self.template:
            (scratch / self.template).write_text(_fill((APPS / self.template).read_text(), values))
        return [_fill(word, values) for word in self.argv]


def _fill(text: str, values: dict[str, Any]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _adapter(name: str, command: str, serves: Sequence[str] = (), content: str = "", **rest: Any) -> Adapter:
    python = shlex.quote(sys.executable)
    command = command.replace("{app}", "env BENCHMARK_DIRECTORY={directory} {python} -m")
    argv = shlex.split(command.replace("{python}", python))
    return Adapter(
        name, argv, serves=frozenset(serves) or EVERYTHING, content=content.encode() or None, **rest
    )


PEERS: dict[str, Adapter] = {  # in display order
    name: _adapter(name, **row)
    for name, row in tomllib.loads(Path(__file__).with_name("peers.toml").read_text()).items()
}

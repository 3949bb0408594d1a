"""The environment of a run: interpreter, machine, kernel, commit, load average, command line.

It contains no directory names, so that results files can be shared.
"""

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.results.units import portable

ROOT = Path(__file__).parents[2]
TIMEOUT = 10.0  # seconds, for a program to print its version
CPU_INFO = Path("/proc/cpuinfo")


def environment(argv: Sequence[str]) -> dict[str, Any]:
    """Return the environment; ``argv`` is the benchmark's command line without the interpreter."""
    return {
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": portable(shlex.join(["python", *argv])),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        # Without the distribution's suffix.
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 1,
        "load": os.getloadavg()[0],
        "commit": first_output_line("git", "rev-parse", "--short=10", "HEAD"),
        "dirty": bool(first_output_line("git", "status", "--porcelain", "--untracked-files=no")),
        "wrk": first_output_line("wrk", "-v").partition(" Copyright")[0],
    }


def cpu_model(info: Path = CPU_INFO) -> str:
    """Return the model name of the processor."""
    try:
        named = re.search(r"^model name\s*:\s*(\S.*)", info.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        named = None
    return named[1].strip() if named else platform.processor() or platform.machine()


def first_output_line(*command: str) -> str:
    """Return the first line of a program's output, ignoring its exit code; "" if it cannot be run."""
    try:
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.partition("\n")[0].strip()


def machine(known: Mapping[str, Any]) -> str:
    """Return processor, cores, Python and kernel in a line.

    >>> machine({"cpu": "Example", "cores": 2, "implementation": "CPython", "python": "3.11"})
    'Example, 2 cores, CPython 3.11'
    """
    python = f"{known.get('implementation', '')} {known.get('python', '')}".strip()
    cores = f"{known['cores']} cores" if known.get("cores") else ""
    return ", ".join(str(each) for each in (known.get("cpu"), cores, python, known.get("kernel")) if each)


def commit(known: Mapping[str, Any]) -> str:
    """Return the commit, and whether the working tree had uncommitted changes.

    >>> commit({"commit": "abc", "dirty": True}), commit({})
    ('abc, with uncommitted changes', '')
    """
    return f"{known.get('commit', '')}{', with uncommitted changes' if known.get('dirty') else ''}"


def date(known: Mapping[str, Any]) -> str:
    """Return the date of a run: "2026-11-04"; "" if unknown."""
    return str(known.get("started", "")).partition("T")[0]

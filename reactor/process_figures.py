"""Process figures: memory, processor and descriptors, by psutil where somebody has installed it."""

import os
import resource
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from reactor.families import COUNTER, GAUGE, Family


def process() -> Iterable[Family]:
    """Return what is known of this process; without psutil, what the system tells by itself."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime
    yield Family(
        "process_cpu_seconds", COUNTER, "seconds", "Processor time, user and system.", [((), seconds)]
    )
    figures = _of_psutil() or _of_proc()
    for name, unit, words in (
        ("process_resident_memory_bytes", "bytes", "Resident memory."),
        ("process_open_fds", "", "Open descriptors."),
        ("process_start_time_seconds", "seconds", "When the process began, since the epoch."),
    ):
        if name in figures:
            yield Family(name, GAUGE, unit, words, [((), figures[name])])


def _of_psutil() -> dict[str, float]:
    try:
        psutil: Any = import_module("psutil")
    except ImportError:
        return {}
    own = psutil.Process()
    return {
        "process_resident_memory_bytes": float(own.memory_info().rss),
        "process_open_fds": float(own.num_fds()),
        "process_start_time_seconds": float(own.create_time()),
    }


def _of_proc() -> dict[str, float]:
    if not sys.platform.startswith("linux"):
        return {}
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
        descriptors = len(os.listdir("/proc/self/fd"))
    except (OSError, ValueError, IndexError):
        return {}
    return {
        "process_resident_memory_bytes": float(pages * resource.getpagesize()),
        "process_open_fds": float(descriptors),
    }

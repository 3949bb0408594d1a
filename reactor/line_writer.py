"""Writing lines without ever waiting: what a full pipe does not take is dropped, for the caller to count.

A pipe that nobody reads would stop the whole loop, and with it everybody who is being served. So
each piece is written only where it fits for certain: POSIX lets a pipe that is writable take
PIPE_BUF octets whole.

It does not know what the lines say.
"""

import os
import select
from collections.abc import Sequence
from typing import TextIO


def write_lines(stream: TextIO, lines: Sequence[str]) -> int:
    """Write lines; return how many were dropped. Raise OSError or ValueError."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stream without one is in memory, and never full
        stream.write("".join(lines))
        return 0
    octets = "".join(lines).encode("utf-8", "backslashreplace")
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    start = 0
    while start < len(octets):
        if not poll.poll(0):
            return octets.count(b"\n", start)
        # Whole lines, as many as fit; of one that does not fit, as much as does.
        end = octets.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or start + select.PIPE_BUF
        start += os.write(descriptor, octets[start:end])
    return 0

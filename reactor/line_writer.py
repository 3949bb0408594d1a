"""Writing lines without ever waiting: what a full pipe does not take is dropped, for the caller to count.

A pipe that nobody reads would stop the whole loop, and with it everybody who is being served. So
each piece is written only where it fits for certain: POSIX lets a pipe that is writable take
PIPE_BUF octets whole.

It does not know what the lines say.
"""

import os
import select
from collections.abc import Iterator, Sequence
from typing import TextIO


def write_lines(stream: TextIO, lines: Sequence[str]) -> int:
    """Write lines, in one call where they fit a pipe; return how many. Raise OSError or ValueError."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stream without one is in memory, and never full
        stream.write("".join(lines))
        return len(lines)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    written = 0
    for octets, count in _gather(lines):
        while octets:
            if not poll.poll(0):
                return written
            octets = octets[os.write(descriptor, octets[: select.PIPE_BUF]) :]
        written += count
    return written


def _gather(lines: Sequence[str]) -> Iterator[tuple[bytes, int]]:
    """Gather lines, with their number, into pieces that a writable pipe takes whole, as far as that goes."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        octets = line.encode("utf-8", "backslashreplace")
        if gathered and size + len(octets) > select.PIPE_BUF:
            yield b"".join(gathered), len(gathered)
            gathered, size = [], 0
        gathered.append(octets)
        size += len(octets)
    yield b"".join(gathered), len(gathered)

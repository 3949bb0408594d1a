"""A file of whole lines: at no moment does it end in a part of one, whoever is killed.

    What happens                     What is in the file
    a write goes well                the lines
    the disk is full, or fails       what was there before; OSError is raised
    the process is killed meanwhile  the lines of some pages more, each of them whole

A write is no unit: a process that is killed in the middle of one leaves as many pages as the kernel
had copied. So lines are laid out like words on paper: one that does not fit on its page begins the
next, and spaces fill the gap. It does not know what the lines say, only that spaces between them mean
nothing.
"""

import os

PAGE = 4096  # octets; where pages are larger, their ends are still ends of these


def lay_out(lines: bytes, position: int) -> bytes:
    r"""Put spaces between lines, so that none is on two pages; the first begins at ``position``.

    >>> lay_out(b"ab\ncd\n", PAGE - 5)
    b'ab\n  cd\n'
    """
    pieces = []
    start = 0
    room = PAGE - position % PAGE
    while len(lines) - start > room:
        end = lines.rfind(b"\n", start, start + room) + 1 or start
        assert end > start or room < PAGE, "a line is shorter than a page"
        pieces += [lines[start:end], b" " * (room - end + start)]
        start, room = end, PAGE
    pieces.append(lines[start:])
    return b"".join(pieces)


class LineFile:
    """A file that is written from its beginning; raises OSError when it cannot be opened."""

    def __init__(self, path: str) -> None:
        # A regular file is never waited for; what is none, such as a FIFO, is not either.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self.size = 0  # octets

    def write(self, lines: bytes) -> None:
        """Add lines, all of them; raise OSError when they cannot be, and leave none."""
        octets = lay_out(lines, self.size)
        written = 0
        try:
            while written < len(octets):
                written += os.write(self._descriptor, octets[written:] if written else octets)
        except OSError:
            self._take_back()
            raise
        self.size += written

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _take_back(self) -> None:
        """Cut off what was written of lines that do not fit."""
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            pass  # it is no regular file, and keeps nothing

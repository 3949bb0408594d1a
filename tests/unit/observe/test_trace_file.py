"""A file of whole lines, even if it is cut at a page boundary or the disk is full."""

import errno
import os
import random
from pathlib import Path

import pytest

from reactor.observe.trace import PAGE, LineFile, lay_out


def lines_of(random_: random.Random, count: int, longest: int) -> bytes:
    return b"".join(b"x" * random_.randrange(longest) + b"\n" for _ in range(count))


@pytest.mark.parametrize("seed", range(20))
def test_no_line_crosses_a_page(seed: int) -> None:
    random_ = random.Random(seed)
    longest = random_.choice([3, 100, 1000, PAGE])
    file = b""
    for _ in range(10):
        lines = lines_of(random_, random_.randrange(100), longest)
        laid = lay_out(lines, len(file))
        assert laid.replace(b" ", b"") == lines
        file += laid
    for end in range(PAGE, len(file), PAGE):
        assert file[:end].rstrip(b" ").endswith(b"\n")
    assert len(file) < len(file.replace(b" ", b"")) + (len(file) // PAGE + 1) * longest


def test_a_line_that_fits_is_not_moved() -> None:
    line = b"x" * (PAGE - 1) + b"\n"
    assert lay_out(line * 3, 0) == line * 3
    assert lay_out(line, 1) == b" " * (PAGE - 1) + line


def test_a_line_longer_than_a_page_is_an_error() -> None:
    with pytest.raises(AssertionError):
        lay_out(b"x" * PAGE + b"\n", 0)


class FullDisk:
    """A disk with room for a given number of bytes; fails like the system call."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.write = os.write

    def __call__(self, descriptor: int, data: bytes) -> int:
        if data and not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self.write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 5, 9])
def test_a_failed_write_is_rolled_back(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LineFile(str(tmp_path / "file"))
    file.write(b"first\n")
    monkeypatch.setattr("os.write", FullDisk(room))
    with pytest.raises(OSError, match="No space"):
        file.write(b"second\nthird\n")
    file.close()
    assert (tmp_path / "file").read_bytes() == b"first\n"
    assert file.size == 6


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:3]))
    file = LineFile(str(tmp_path / "file"))
    file.write(b"first\nsecond\n")
    file.close()
    assert (tmp_path / "file").read_bytes() == b"first\nsecond\n"


def test_an_existing_file_is_truncated_and_made_private(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    for name in ("old", "new"):
        LineFile(str(tmp_path / name)).close()
        assert (tmp_path / name).read_bytes() == b""
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_an_unread_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        LineFile(str(tmp_path / "fifo"))

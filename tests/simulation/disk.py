"""The simulated disk: real files in a real directory, and calls that fail.

The store is given an ``os`` of its own, in which ``open``, ``dup``, ``write``, ``rename``, ``fsync``
and ``unlink`` fail now and then, and a write may take fewer bytes than it was given. The
content of a file is checked at the moment of its rename: it must be one of the complete contents
that clients have sent for that name, in the directory that is shared now. In some seeds the directory
is replaced by a copy, and is missing for a while.
"""

import errno
import fcntl
import os
import shutil
import stat
import zlib
from pathlib import Path
from typing import Any

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from tests.simulation.world import World

ENOUGH = 1 << 40
# What may go wrong in each call, and which statuses the client may get then.
FAULTS = {
    "open": (errno.EMFILE, errno.ENFILE, errno.EIO),
    "dup": (errno.EMFILE,),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    "rename": (errno.EIO, errno.ENOSPC),
    "fsync": (errno.EIO, errno.ENOSPC),
    "unlink": (errno.EIO,),
}
COMMITTING = ("rename", "fsync")
DISK_ERRORS = (500, 503, 507)
REPLACED = 409  # the status of an upload into a directory that was replaced
DISK_FAILURE = "a file could not be read or written"


class Disk:
    """One directory: the contents that its files may have, and those that they have."""

    def __init__(self, world: World, parent: Path) -> None:
        self.world = world
        self.path = parent / "shared"
        self.path.mkdir()
        self.replaced: list[Path] = []  # the former directories
        self.offered: dict[str, list[bytes]] = {}  # whole contents, by name
        self.current: dict[str, bytes] = {}  # the content of each file, by name
        self.stored: dict[str, list[bytes]] = {}  # every content that the file has had, in order
        self.undeletable: set[str] = set()
        self.unopened = 0  # directories that could not be opened, perhaps to remove a temporary file
        self._descriptors = len(os.listdir("/proc/self/fd"))

    def add(self, name: str, content: bytes) -> None:
        """Put a file there before the server starts."""
        (self.path / name).write_bytes(content)
        self.offered[name] = [content]
        self.current[name] = content
        self.stored[name] = [content]

    def remove(self) -> None:
        """Rename the directory."""
        self.world.log("the directory is replaced")
        self.replaced.append(self.path.with_name(f"replaced{len(self.replaced)}"))
        self.path.rename(self.replaced[-1])

    def restore(self) -> None:
        """Put a copy of the removed directory in its place, without the temporary files."""
        shutil.copytree(self.replaced[-1], self.path, ignore=shutil.ignore_patterns(f"{TEMPORARY_PREFIX}*"))

    def offer(self, name: str, content: bytes) -> None:
        """Note what a client is going to upload."""
        self.offered.setdefault(name, []).append(content)

    def free_space(self, descriptor: int) -> int:
        """Return how many bytes are free: plenty, or suddenly nothing."""
        return 0 if self.fails("free space") else ENOUGH

    def fails(self, call: str) -> bool:
        """Return whether a call fails now; if so, its client may fail, too."""
        if not self.world.happens("commit" if call in COMMITTING else "disk"):
            return False
        self.world.log("  %s: %s fails", self.world.current, call)
        self.world.allow_failure(self.world.current, DISK_FAILURE)
        return True

    def note_rename(self, name: str, parent: int) -> None:
        """Check the new content of a file."""
        if not self.path.exists() or not os.path.samestat(os.fstat(parent), self.path.stat()):
            self.world.fail(f"{name} is stored in a directory that is no longer shared")
        content = (self.path / name).read_bytes()
        if content not in self.offered.get(name, []):
            self.world.fail(f"{len(content)} bytes are stored as {name}, which no client has sent")
        if content in self.stored.get(name, []):
            self.world.fail(f"the same content was stored as {name} twice")
        self.current[name] = content
        self.stored.setdefault(name, []).append(content)

    def check(self) -> None:
        """Check that each file is whole, and that nothing else is there."""
        found = {path.name: path.read_bytes() for path in sorted(self.path.iterdir())}
        former = (path.name for each in self.replaced for path in each.iterdir())
        leftovers = {name for name in (*found, *former) if name.startswith(TEMPORARY_PREFIX)}
        if not self.undeletable <= leftovers or len(leftovers - self.undeletable) > self.unopened:
            self.world.fail(f"{len(leftovers)} temporary files are left")
        for name in leftovers & found.keys():
            del found[name]
        if found != self.current:
            wrong = sorted(name for name in found if found[name] != self.current.get(name))
            self.world.fail(f"the directory differs from the stored uploads; wrong: {wrong}")

    def check_descriptors(self) -> None:
        """Check that as many files are open as before the server started."""
        left = len(os.listdir("/proc/self/fd")) - self._descriptors
        if left:
            self.world.fail(f"{left} file descriptors are left open")


class FaultyOs:
    """The module ``os``, some of whose calls fail."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def stat(self, path: bytes | str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> "Status":
        descriptor = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
        try:
            return Status(descriptor)
        finally:
            os.close(descriptor)

    def fstat(self, descriptor: int) -> "Status":
        return Status(descriptor)

    def _may_fail(self, call: str) -> None:
        if self._disk.fails(call):
            raise OSError(self._disk.world.random.choice(FAULTS[call]), "planted")

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        try:
            self._may_fail("open")
        except OSError:
            self._disk.unopened += bool(flags & os.O_DIRECTORY)
            raise
        return os.open(path, flags, mode, dir_fd=dir_fd)

    def dup(self, descriptor: int) -> int:
        self._may_fail("dup")
        return os.dup(descriptor)

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        self._may_fail("write")
        world = self._disk.world
        if len(data) > 1 and world.happens("piecemeal"):
            data = data[: world.random.randint(1, len(data))]
        return os.pwrite(descriptor, data, offset)

    def rename(self, source: Any, target: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._may_fail("rename")
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._disk.note_rename(os.fsdecode(target), dst_dir_fd)

    def fsync(self, descriptor: int) -> None:
        self._may_fail("fsync")  # and there is no need to wait for a disk that is memory

    def unlink(self, name: str, *, dir_fd: int) -> None:
        try:
            self._may_fail("unlink")
        except OSError:
            self._disk.undeletable.add(os.fsdecode(name))
            raise
        os.unlink(name, dir_fd=dir_fd)


class Status:
    """What is known of a file: the same in each run, so its number is derived from its content.

    Its modification time is always long ago, so that small files are cached.
    """

    def __init__(self, descriptor: int) -> None:
        real = os.fstat(descriptor)
        self.st_mode = real.st_mode
        self.st_nlink = real.st_nlink
        self.st_size = real.st_size
        self.st_dev = 0
        readable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        regular = stat.S_ISREG(real.st_mode)
        self.st_ino = zlib.crc32(os.pread(descriptor, real.st_size, 0)) if readable and regular else 0
        # That of a directory or a temporary file is only compared with another one.
        name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))
        if stat.S_ISDIR(real.st_mode) or name.startswith(TEMPORARY_PREFIX):
            self.st_dev, self.st_ino = real.st_dev, real.st_ino
        self.st_mtime_ns = self.st_ctime_ns = 2_000_000_000

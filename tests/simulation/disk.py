"""The simulated disk: real files in a real directory, and calls that fail.

The handlers of files are given an ``os`` of their own, in which ``open``, ``dup``, ``write``, ``rename``,
``link``, ``fsync`` and ``unlink`` fail now and then, and a write may take fewer bytes than it was given. Each
change is reported to the model (``tree.py``) at that moment, with the content that it finds then. In some
seeds files without a name are not supported. In some, the shared directory is replaced by a copy, and is
missing for a while; or one of its directories is removed with all that it has.
"""

import errno
import os
import pkgutil
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from gzip import compress
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from reactor.handlers import files
from reactor.handlers.files import resumable
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.resumable import ResumableUpload, UploadRegistry
from reactor.http11.errors import HTTPError
from tests.simulation.features import choose_features
from tests.simulation.tree import DIRECTORY, State, Tree
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.resumption import OwnUpload

ENOUGH = 1 << 40
FILE_CACHE_SIZE = 100_000  # bytes: small, so that the cache is cleared
# What may go wrong in each call, and which statuses the client may get then.
FAULTS = {
    "open": (errno.EMFILE, errno.ENFILE, errno.EIO),
    "dup": (errno.EMFILE,),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    "rename": (errno.EIO, errno.ENOSPC),
    "link": (errno.EIO, errno.ENOSPC),
    "fsync": (errno.EIO, errno.ENOSPC),
    "unlink": (errno.EIO,),
}
# What an unnamed file meets where the file system does not support it, and without /proc.
UNSUPPORTED = {"open": errno.EOPNOTSUPP, "link": errno.ENOENT}
COMMITTING = ("rename", "link", "fsync")
DISK_ERRORS = (500, 503, 507)
REPLACED = 409  # the status of an upload into a directory that was replaced
DISK_FAILURE = "a file could not be read or written"
FADING = "fading"  # the directory that other processes remove
VARIANTS = ("page.txt", "stale.txt")  # each with a .gz


class Disk:
    """One directory, and the model of it."""

    def __init__(self, world: World, parent: Path) -> None:
        self.world = world
        self.features = choose_features(world.random)
        self.path = parent / "shared"
        self.path.mkdir()
        self.replaced: list[Path] = []  # the former directories
        self.tree = Tree(world)
        self.tree.put("", DIRECTORY)
        self.tokens: dict[str, str] = {}  # the clients of the resumable uploads, by token
        self.changes_before: dict[str, int] = {}  # of the tree, before each upload, by token
        self.resumables: list[OwnUpload] = []  # those of all clients
        self.last_faults: dict[str, float] = {}  # when a call has failed for a client
        # Each entity tag identifies a content in a coding.
        self.tags: dict[tuple[bytes, str], str] = {}
        self.tagged: dict[str, tuple[bytes, str]] = {}
        self.undeletable: set[Path] = set()
        self.unopened = 0  # directories that could not be opened, perhaps to remove a temporary file
        self.numbers: dict[int, int] = {}  # of files, the same in each run, by inode
        self._descriptors = len(os.listdir("/proc/self/fd"))

    # What other processes do.

    def populate(self, large: int) -> None:
        """Make the files that are there before the server starts."""
        random = self.world.random
        for name in ("docs", "docs/deep", "empty", FADING):
            self.make_directory(name)
        sizes = {"f0": 100, "f1": 8_000, "shared": 500, "notes.txt": 4_000, "docs/a b&c.txt": 700}
        sizes |= {"docs/<i>.bin": 90, "docs/file10": 9, "docs/file9": 9, "docs/deep/d.csv": 3_000}
        sizes |= {"large.txt": large, "large": large, f"{FADING}/x.txt": 300, "docs/\u00fc%.md": 60}
        for name, size in sizes.items():
            self.add(name, name.encode() + random.randbytes(random.randrange(size)))
        self.add("zero", b"")
        for name in VARIANTS:
            self._add_with_variant(name, random)
        self._plan_removal(random)

    def add(self, name: str, content: bytes) -> None:
        """Write a file."""
        (self.path / name).write_bytes(content)
        self.tree.put(name, content)

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        (self.path / name).mkdir()
        self.tree.put(name, DIRECTORY)

    def _add_with_variant(self, name: str, random: Random) -> None:
        """Write a file and its variant, which is newer, or older than it."""
        while True:
            content = name.encode() * 50 + random.randbytes(8)
            variant = compress(content, mtime=0)
            if (modified(variant) >= modified(content)) is (name != "stale.txt"):
                break
        self.add(name, content)
        self.add(f"{name}.gz", variant)

    def _plan_removal(self, random: Random) -> None:
        """Plan that a directory is removed with all its files, and made again, in some seeds."""
        if random.random() < 0.3:
            when = random.random() * random.choice((0.01, 1.0, 10.0))
            self.world.after(when, self._remove_directory)
            self.world.after(when + random.choice((0.01, 1.0, 60.0)), self._restore_directory)

    def _remove_directory(self) -> None:
        if not self.replaced:
            self.world.log("another process removes %s", FADING)
            self.undeletable.difference_update((self.path / FADING).iterdir())
            shutil.rmtree(self.path / FADING)
            for path in list(self.tree.children(f"{FADING}/")):
                self.tree.put(path, None)
            self.tree.put(FADING, None)

    def _restore_directory(self) -> None:
        if self.tree.state(FADING) is None and not self.replaced:
            self.world.log("another process makes %s", FADING)
            self.make_directory(FADING)
            self.add(f"{FADING}/x.txt", self.world.random.randbytes(40))

    def take_name(self, path: Path) -> None:
        """Make a file just before the server gives its name to an upload, now and then."""
        is_shared = path.is_relative_to(self.path) and path.parent.exists()
        if not is_shared or path.exists() or path.name.startswith(TEMPORARY_PREFIX):
            return
        if self.world.happens("commit"):
            name = str(path.relative_to(self.path))
            self.world.log("another process makes %s", name)
            self.add(name, f"{name} {self.tree.changes}".encode())

    def remove(self) -> None:
        """Rename the directory."""
        self.world.log("the directory is replaced")
        self.replaced.append(self.path.with_name(f"replaced{len(self.replaced)}"))
        self.path.rename(self.replaced[-1])

    def restore(self) -> None:
        """Put a copy of the removed directory in its place, without the temporary files."""
        shutil.copytree(self.replaced[-1], self.path, ignore=shutil.ignore_patterns(f"{TEMPORARY_PREFIX}*"))
        for path in sorted(self._walk(self.path)):
            self.numbers[path.stat().st_ino] = self.number(self.replaced[-1] / path.relative_to(self.path))

    # What goes wrong.

    def free_space(self, descriptor: int) -> int:
        """Return how many bytes are free: plenty, or suddenly nothing."""
        return 0 if self.fails("free space") else ENOUGH

    def fails(self, call: str) -> bool:
        """Return whether a call fails now; if so, its client may fail, too."""
        if not self.world.happens("commit" if call in COMMITTING else "disk"):
            return False
        self.world.log("  %s: %s fails", self.world.current, call)
        self.world.allow_failure(self.world.current, DISK_FAILURE)
        self.last_faults[self.world.current] = self.world.now
        return True

    def has_failed(self, client: str, since: float) -> bool:
        """Return whether a call has failed for a client since then, or may have failed."""
        return bool(self.replaced) or self.last_faults.get(client, -1.0) >= since

    # What the server does.

    def number(self, file: Path | int) -> int:
        """Return the number of a file; a copy of it has the same one."""
        return self.numbers.setdefault(os.stat(file).st_ino, len(self.numbers) + 1)

    def locate(self, name: str | bytes, parent: int | None) -> Path:
        """Return the present path of a name in an open directory."""
        directory = "" if parent is None else os.readlink(f"/proc/self/fd/{parent}")
        return Path(directory, os.fsdecode(name))

    def note_stored(self, path: Path) -> None:
        """Report a file that the server has stored, if it is not a temporary file."""
        if path.name.startswith(TEMPORARY_PREFIX):
            return
        if not path.is_relative_to(self.path):
            self.world.fail(f"{path.name} is stored in a directory that is no longer shared")
        self.tree.note_stored(str(path.relative_to(self.path)), path.read_bytes())

    def note_removed(self, path: Path) -> None:
        """Report a name that the server has removed."""
        if path.name.startswith(TEMPORARY_PREFIX):
            return
        if path.is_relative_to(self.path):
            self.tree.note_removed(str(path.relative_to(self.path)))
        elif not self.tree.note_undone(str(path.relative_to(self.replaced[-1])), self.path.exists()):
            self.world.fail(f"{path.name} is removed in a directory that is no longer shared")

    def note_undeletable(self, path: Path) -> None:
        """Note a name that the server could not remove."""
        if path.name.startswith(TEMPORARY_PREFIX) and path.exists():
            self.undeletable.add(path)
        elif path.is_relative_to(self.path):
            self.tree.note_undeletable(str(path.relative_to(self.path)))

    def issue_token(self, size: int) -> str:
        """Return a random token, for the client whose request is served."""
        token = f"{self.world.random.getrandbits(64):016x}"
        self.tokens[token] = self.world.current
        self.changes_before[token] = self.tree.changes
        return token

    # At the end.

    def check(self) -> None:
        """Check that each file is whole, and that nothing else is there."""
        found = {path for path in self._walk(self.path) if not path.name.startswith(TEMPORARY_PREFIX)}
        contents = {str(path.relative_to(self.path)): path.read_bytes() for path in sorted(found)}
        right = self.tree.files()
        if contents != right:
            wrong = sorted(name for name in contents | right if contents.get(name) != right.get(name))
            self.world.fail(f"the directory differs from the stored uploads; wrong: {wrong}")
        self.tree.check_forms()

    def check_leftovers(self) -> None:
        """Check that no temporary file is left, in this directory or a former one."""
        found = {path for root in (self.path, *self.replaced) for path in self._walk(root)}
        left = {path.name for path in found if path.name.startswith(TEMPORARY_PREFIX)}
        excused = {path.name for path in self.undeletable}
        if not excused <= left or len(left - excused) > self.unopened:
            self.world.fail(f"{len(left)} temporary files are left")

    def _walk(self, root: Path) -> Iterator[Path]:
        return (path for path in root.rglob("*") if not path.is_dir())

    def check_descriptors(self) -> None:
        """Check that as many files are open as before the server started."""
        left = len(os.listdir("/proc/self/fd")) - self._descriptors
        if left:
            self.world.fail(f"{left} file descriptors are left open")

    def patches(self) -> ExitStack:
        """Give the handlers of files an ``os`` whose calls fail, and tokens that are the same in each run."""
        stack = ExitStack()
        replacements = {"os": FaultyOs(self), "secrets": Secrets(self)}
        for module in pkgutil.iter_modules(files.__path__):
            name = f"reactor.handlers.files.{module.name}"
            for attribute, replacement in replacements.items():
                if hasattr(import_module(name), attribute):
                    stack.enter_context(patch(f"{name}.{attribute}", replacement))
        stack.enter_context(patch("reactor.handlers.files.cache.MAX_TOTAL_SIZE", FILE_CACHE_SIZE))
        stack.enter_context(patch(f"{resumable.__name__}.MAX_UPLOADS", self.features.uploads))
        stack.enter_context(patch.object(UploadRegistry, "add", self._checked_add()))
        return stack

    def _checked_add(self) -> Callable[[UploadRegistry, ResumableUpload], str]:
        """Return ``UploadRegistry.add`` with a check: at the limit, the idle upload used first is removed."""
        add, limit = UploadRegistry.add, self.features.uploads

        def checked(registry: UploadRegistry, upload: ResumableUpload) -> str:
            before = list(registry)
            idle = [token for token in before if registry[token].writer is None]
            is_full = len(before) >= limit
            try:
                token = add(registry, upload)
            except HTTPError:
                if idle or not is_full:
                    self.world.fail(f"an upload is refused, with {len(before)} others")
                raise
            removed = idle[:1] if is_full else []
            right = [each for each in before if each not in removed]
            if len(right) == limit or list(registry) != [*right, token]:
                self.world.fail(f"of the uploads {before}, {list(registry)} are left")
            return token

        return checked


class Secrets:
    """The module ``secrets``, with values that the seed decides."""

    def __init__(self, disk: Disk) -> None:
        self.token_urlsafe = disk.issue_token
        self.token_hex = lambda size: f"{disk.world.random.getrandbits(64):016x}"


class FaultyOs:
    """The module ``os``, some of whose calls fail."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> "Status":
        descriptor = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
        try:
            return self.fstat(descriptor)
        finally:
            os.close(descriptor)

    def fstat(self, descriptor: int) -> "Status":
        return Status(descriptor, self._disk)

    def scandir(self, descriptor: int) -> "Scan":
        return Scan(descriptor, self)

    def _may_fail(self, call: str) -> None:
        if self._disk.fails(call):
            raise OSError(self._disk.world.random.choice(FAULTS[call]), "planted")

    def _require_support(self, call: str) -> None:
        if self._disk.features.unnamed == call:
            raise OSError(UNSUPPORTED[call], "not supported")

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        kind = flags & os.O_TMPFILE
        if kind == os.O_TMPFILE:
            self._require_support("open")
        try:
            self._may_fail("open")
        except OSError:
            self._disk.unopened += kind == os.O_DIRECTORY
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

    def rename(self, source: Any, target: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._may_fail("rename")
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._disk.note_stored(self._disk.locate(target, dst_dir_fd))

    def link(
        self,
        source: Any,
        target: Any,
        *,
        src_dir_fd: Any = None,
        dst_dir_fd: int,
        follow_symlinks: bool = True,
    ) -> None:
        if src_dir_fd is None:
            self._require_support("link")
            self._disk.take_name(self._disk.locate(target, dst_dir_fd))
        self._may_fail("link")
        options = {} if src_dir_fd is None else {"src_dir_fd": src_dir_fd}
        os.link(source, target, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks, **options)
        self._disk.note_stored(self._disk.locate(target, dst_dir_fd))

    def fsync(self, descriptor: int) -> None:
        self._may_fail("fsync")  # and there is no need to wait for a disk that is memory

    def unlink(self, name: Any, *, dir_fd: int) -> None:
        path = self._disk.locate(name, dir_fd)
        try:
            self._may_fail("unlink")
        except OSError:
            self._disk.note_undeletable(path)
            raise
        os.unlink(name, dir_fd=dir_fd)
        self._disk.note_removed(path)


class Scan:
    """An iterator over the entries of a directory, in an order that is the same in each run."""

    def __init__(self, descriptor: int, faulty: FaultyOs) -> None:
        names = sorted(os.listdir(descriptor))
        self._entries = iter([ScannedEntry(name, descriptor, faulty) for name in names])

    def __iter__(self) -> Iterator["ScannedEntry"]:
        return self._entries

    def __next__(self) -> "ScannedEntry":
        return next(self._entries)

    def close(self) -> None:
        """Close the iterator."""


class ScannedEntry:
    """One entry of a directory."""

    def __init__(self, name: str, directory: int, faulty: FaultyOs) -> None:
        self.name = name
        self._directory = directory
        self._os = faulty

    def stat(self, *, follow_symlinks: bool = True) -> "Status":
        return self._os.stat(self.name, dir_fd=self._directory)


class Status:
    """What is known of a file, the same in each run: its time is derived from its content."""

    def __init__(self, descriptor: int, disk: Disk) -> None:
        real = os.fstat(descriptor)
        self.st_mode = real.st_mode
        self.st_nlink, self.st_uid, self.st_gid = real.st_nlink, real.st_uid, real.st_gid
        self.st_size = real.st_size
        self.st_dev, self.st_ino = real.st_dev, real.st_ino  # of a directory: only compared with another's
        self.st_mtime_ns = 2_000_000_000
        if stat.S_ISREG(real.st_mode):
            readable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)  # it may be open for writing
            content = os.pread(readable, real.st_size, 0)
            os.close(readable)
            self.st_dev, self.st_ino = 0, disk.number(descriptor)
            self.st_mtime_ns = modified(content)
        self.st_ctime_ns = self.st_mtime_ns


def modified(content: State) -> int:
    """Return the modification time of a file with this content, in nanoseconds since the epoch.

    For one of eight it is 1, as in reproducible builds, and for another one it is in the future; the other
    files are old, and thus cached. Its last digits identify the content: entity tags are made of it, and the
    real file system gives the inode of a removed file to the next one.
    """
    if not isinstance(content, bytes):
        return 2_000_000_000
    number = zlib.crc32(content)
    seconds = {0: 1, 1: 3_000_000_000}.get(number % 8, 1_000_000_000 + number % 600_000_000)
    return seconds * 1_000_000_000 + number % 1_000_000_000


def last_modified(content: bytes) -> str | None:
    """Return the Last-Modified of a file with this content, None if it has none."""
    seconds = modified(content) // 1_000_000_000
    return None if seconds in (1, 3_000_000_000) else formatdate(seconds, usegmt=True)

"""Unnamed files: where they are supported, and that others are used where they are not."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reactor.handlers.files.store import Store
from reactor.handlers.files.unnamed import UNNAMED, UnnamedFiles
from tests.support.files import supports_unnamed
from tests.unit.handlers.files.shared import Shared, no_descriptor_leaks, read, refused_status, upload


@pytest.fixture(autouse=True)
def _require_unnamed_files(tmp_path: Path) -> None:
    if not supports_unnamed(tmp_path):
        pytest.skip("the file system of the test does not support unnamed files")


class Calls:
    """Counts the unnamed files that are opened, and makes one kind of call fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._open, self._link = os.open, os.link
        self.opened = 0
        self.open_error = self.link_error = 0
        patch.setattr(os, "open", self.open)
        patch.setattr(os, "link", self.link)

    def open(self, path: Any, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        if flags == UNNAMED:
            self.opened += 1
            if self.open_error:
                raise OSError(self.open_error, os.strerror(self.open_error))
        return self._open(path, flags, *mode, dir_fd=dir_fd)

    def link(self, *names: Any, **directories: Any) -> None:
        if self.link_error:
            raise OSError(self.link_error, os.strerror(self.link_error))
        self._link(*names, **directories)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def has_name(shared: Shared, store: Store, name: str = "new") -> bool:
    """Store a file; return whether it had a temporary name before."""
    before = shared.files().keys()
    with no_descriptor_leaks(), closing(store.create(name, 3)) as sink:
        sink.write(b"abc")
        temporary = shared.files().keys() - before
        sink.commit()
    assert shared.files().keys() == {*before, name}
    assert read(store, name) == b"abc"
    return bool(temporary)


@pytest.mark.parametrize("name", ["new", "file", "below/new", "below/file"])
def test_an_upload_has_no_name_until_it_is_complete(shared: Shared, store: Store, name: str) -> None:
    assert [has_name(shared, store, name) for _ in range(2)] == [False, False]


def test_the_steps_are_tried_once(shared: Shared, store: Store, calls: Calls) -> None:
    assert [has_name(shared, store, name) for name in ("new", "below/new", "new")] == [False] * 3
    assert calls.opened == 4


CONCLUSIVE = {
    "open": (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS, errno.EPERM),
    "link": (errno.ENOENT, errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.EMLINK),
}
INCONCLUSIVE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.EACCES,
    errno.EROFS,
    errno.EEXIST,
)


@pytest.mark.parametrize("call", CONCLUSIVE)
def test_where_a_step_fails_uploads_have_a_temporary_name(shared: Shared, calls: Calls, call: str) -> None:
    for number in CONCLUSIVE[call]:
        setattr(calls, f"{call}_error", number)
        calls.opened = 0
        with closing(Store(shared.path)) as store:
            assert [has_name(shared, store) for _ in range(3)] == [True] * 3
        assert calls.opened == 1, errno.errorcode[number]


@pytest.mark.parametrize("call", CONCLUSIVE)
def test_after_a_passing_error_the_steps_are_tried_again(shared: Shared, calls: Calls, call: str) -> None:
    for number in INCONCLUSIVE:
        with closing(Store(shared.path)) as store:
            setattr(calls, f"{call}_error", number)
            assert has_name(shared, store), errno.errorcode[number]
            setattr(calls, f"{call}_error", 0)
            assert not has_name(shared, store), errno.errorcode[number]


def test_a_device_may_get_a_file_system_that_does_not_support_them(
    shared: Shared, store: Store, calls: Calls
) -> None:
    assert not has_name(shared, store)
    calls.open_error = errno.EOPNOTSUPP
    assert [has_name(shared, store) for _ in range(3)] == [True] * 3
    assert calls.opened == 4  # two before, one that fails, and one to try the steps again


def test_the_steps_are_tried_for_each_device(
    shared: Shared, store: Store, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of the directory may be on another file system."""
    fstat, below = os.fstat, (shared.path / "below").stat().st_ino

    def other_device(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        return os.stat_result((*status[:2], 1, *status[3:])) if status.st_ino == below else status

    calls.open_error = errno.EOPNOTSUPP
    assert has_name(shared, store)
    calls.open_error = 0
    monkeypatch.setattr(os, "fstat", other_device)
    assert not has_name(shared, store, "below/new")
    assert has_name(shared, store)


def test_files_with_other_permissions_are_not_used(
    shared: Shared, store: Store, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.0, some file systems ignore the umask for unnamed files."""

    def ignore_umask(path: Any, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        descriptor = calls.open(path, flags, *mode, dir_fd=dir_fd)
        if flags == UNNAMED:
            os.fchmod(descriptor, 0o666)
        return descriptor

    monkeypatch.setattr(os, "open", ignore_umask)
    before = os.umask(0o077)
    try:
        assert has_name(shared, store)
    finally:
        os.umask(before)
    assert stat.S_IMODE((shared.path / "new").stat().st_mode) == 0o600


# A name that is used, and a directory that is deleted.


@contextmanager
def complete(store: Store, name: str) -> Iterator[Callable[[], None]]:
    """Begin an upload, and write its content; return the function that commits it."""
    with no_descriptor_leaks(), closing(store.create(name, 3)) as sink:
        sink.write(b"abc")
        yield sink.commit


def make_file(path: Path) -> None:
    path.write_bytes(b"of another process")


def make_link(path: Path) -> None:
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [make_file, make_link, os.mkfifo])
def test_a_name_taken_during_the_upload_is_replaced(
    shared: Shared, store: Store, make: Callable[[Path], None]
) -> None:
    with complete(store, "new") as commit:
        make(shared.path / "new")
        commit()
    assert shared.files() == {**shared.original_files, "new": b"abc"}


def test_temporary_names_of_other_processes_are_kept(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(store, "file", b"one")
    names = iter(["taken", "taken", "free"])
    monkeypatch.setattr("reactor.handlers.files.unnamed.temporary_name", lambda: next(names))
    make_file(shared.path / "taken")
    upload(store, "file", b"two")
    assert shared.files() == {**shared.original_files, "file": b"two", "taken": b"of another process"}


def test_a_file_that_cannot_be_replaced_loses_its_temporary_name(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*names: Any, **directories: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("file", "below/file"):
        with complete(store, name) as commit, monkeypatch.context() as patch:
            patch.setattr(os, "rename", fail)
            assert refused_status(commit) == 500
    shared.assert_untouched()


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "deleted and made"])
def test_a_deleted_directory_is_409(shared: Shared, store: Store, again: bool) -> None:
    with complete(store, "below/new") as commit:
        shutil.rmtree(shared.path / "below")
        if again:
            (shared.path / "below").mkdir()
        assert refused_status(commit) == 409
    assert shared.files().keys() == {"file"}


def test_an_upload_into_a_deleted_directory_does_not_begin(shared: Shared, store: Store) -> None:
    """On a tmpfs a file could be made there, without a name, but not stored."""
    shutil.rmtree(shared.path)
    with pytest.raises(FileNotFoundError):
        UnnamedFiles(store.root).create([b"new"], store.root.descriptor)
    assert refused_status(lambda: store.create("new", 3)) == 409

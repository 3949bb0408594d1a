"""Temporary files of killed processes are removed after the start, and no other files."""

import errno
import fcntl
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.unit.handlers.files.shared import Shared, named, no_descriptor_leaks, read, upload


def leave(directory: Path, name: str = f"{TEMPORARY_PREFIX}1-1") -> Path:
    """Create an unlocked temporary file, as a killed process leaves it."""
    (directory / name).write_bytes(b"part")
    return directory / name


def test_leftovers_are_removed_in_every_directory_and_counted(shared: Shared, store: Store) -> None:
    deep = shared.path / "a" / ".b" / "c"
    deep.mkdir(parents=True)
    for directory in (shared.path, shared.path / "below", deep):
        leave(directory)
    with no_descriptor_leaks():
        assert sum(store.remove_leftovers()) == 3
        assert sum(store.remove_leftovers()) == 0
    shared.assert_untouched()


def test_leftovers_are_removed_on_nfs(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flock = fcntl.flock

    def flock_as_nfs(descriptor: int, operation: int) -> None:
        # flock(2): for an exclusive lock the file must be open for writing, for a shared one for reading.
        needed = os.O_WRONLY if operation & fcntl.LOCK_EX else os.O_RDONLY
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE not in (needed, os.O_RDWR):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(descriptor, operation)

    leave(shared.path)
    leave(shared.path, f"{TEMPORARY_PREFIX}1-2.0.1")  # of a resumable upload
    leave(shared.path, f"{TEMPORARY_PREFIX}1-2")
    monkeypatch.setattr(fcntl, "flock", flock_as_nfs)
    with closing(Store(shared.path)) as other:
        assert sum(other.remove_leftovers()) + sum(other.remove_leftovers()) == 3
    assert not caplog.records
    shared.assert_untouched()


def test_files_outside_are_not_removed(shared: Shared, store: Store) -> None:
    outside = leave(shared.outside)
    (shared.path / "link").symlink_to(shared.outside)
    (shared.path / f"{TEMPORARY_PREFIX}link").symlink_to(outside)
    assert sum(store.remove_leftovers()) == 0
    assert outside.read_bytes() == b"part"


@pytest.mark.usefixtures("unnamed")
def test_an_upload_in_progress_is_not_removed_by_another_store(shared: Shared, store: Store) -> None:
    with closing(store.create("new", 3)) as sink:
        sink.write(b"ab")
        with closing(Store(shared.path)) as other:
            assert sum(other.remove_leftovers()) == 0
        sink.write(b"c")
        sink.commit()
    assert read(store, "new") == b"abc"


@named
def test_an_upload_survives_another_start_before_its_lock(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    removed = []

    def start_another_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        with closing(Store(shared.path)) as other:
            removed.append(sum(other.remove_leftovers()))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", start_another_first)
    with closing(store.create("new", 3)) as sink:
        sink.write(b"abc")
        sink.commit()
    assert removed
    assert read(store, "new") == b"abc"


@named
def test_an_upload_completed_during_the_search_is_no_problem(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = store.create("new", 3)
    sink.write(b"abc")
    flock = fcntl.flock

    def complete_first(descriptor: int, operation: int) -> None:
        sink.commit()
        sink.close()
        flock(descriptor, operation)

    with closing(Store(shared.path)) as other:
        monkeypatch.setattr(fcntl, "flock", complete_first)
        assert sum(other.remove_leftovers()) == 0
    assert not caplog.records
    assert read(store, "new") == b"abc"


@pytest.mark.usefixtures("unnamed")
def test_an_upload_that_replaces_a_file_survives_another_start_before_the_rename(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename
    removed = []

    def start_another_first(*names: Any, **directories: Any) -> None:
        with closing(Store(shared.path)) as other:
            removed.append(sum(other.remove_leftovers()))
        rename(*names, **directories)

    monkeypatch.setattr(os, "rename", start_another_first)
    upload(store, "file", b"new")
    assert removed == [0]
    assert shared.files() == {**shared.original_files, "file": b"new"}


@pytest.mark.usefixtures("unnamed")
def test_a_committed_file_is_not_a_leftover(shared: Shared, store: Store) -> None:
    with closing(store.create("new", 3)) as sink:
        sink.write(b"abc")
        sink.commit()
        assert sum(store.remove_leftovers()) == 0
    assert sum(store.remove_leftovers()) == 0
    assert read(store, "new") == b"abc"


def test_a_directory_named_like_a_leftover_is_kept(shared: Shared, store: Store) -> None:
    directory = shared.path / f"{TEMPORARY_PREFIX}1-1"
    directory.mkdir()
    leave(directory)
    assert sum(store.remove_leftovers()) == 1
    assert directory.is_dir()


def remove_chain(path: Path) -> None:
    """Remove nested directories, all called "d", and the files in the innermost."""
    directory = os.open(path, os.O_RDONLY)
    while "d" in os.listdir(directory):
        directory = enter(directory, "d")
    for name in os.listdir(directory):
        os.unlink(name, dir_fd=directory)
    while not os.path.samestat(os.fstat(directory), os.stat(path)):
        directory = enter(directory, "..")
        os.rmdir("d", dir_fd=directory)
    os.close(directory)


def enter(directory: int, name: str) -> int:
    """Open a subdirectory, and close the directory."""
    try:
        return os.open(name, os.O_RDONLY, dir_fd=directory)
    finally:
        os.close(directory)


@pytest.fixture
def little_depth() -> Iterator[int]:
    """Lower the recursion limit and the open-file limit; return a number above both."""
    recursion, files = sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_NOFILE)
    sys.setrecursionlimit(250)
    resource.setrlimit(resource.RLIMIT_NOFILE, (250, files[1]))
    yield 300
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    sys.setrecursionlimit(recursion)


def test_leftovers_are_found_at_any_depth(shared: Shared, store: Store, little_depth: int) -> None:
    directory = os.open(shared.path, os.O_RDONLY)
    for _ in range(little_depth):
        os.mkdir("d", dir_fd=directory)
        directory = enter(directory, "d")
    os.close(os.open(f"{TEMPORARY_PREFIX}1-1", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    try:
        assert sum(store.remove_leftovers()) == 1
        assert sum(store.remove_leftovers()) == 0
    finally:  # too deep for the cleanup of tmp_path
        remove_chain(shared.path)


def test_directories_removed_during_the_search_are_not_reported(
    shared: Shared, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (shared.path / "other").mkdir()
    leave(shared.path / "other")
    steps = store.remove_leftovers()
    next(steps)
    shutil.rmtree(shared.path / "below")
    shutil.rmtree(shared.path / "other")
    (shared.path / "other").touch()
    assert sum(steps) == 0
    assert caplog.records == []


def test_directories_that_cannot_be_searched_are_reported_once(
    shared: Shared, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def fail(directory: int) -> Iterator[os.DirEntry[str]]:
        if directory_name(directory) in ("below", "other"):
            raise OSError(errno.EIO, "Input/output error")
        return scandir(directory)

    for name in ("other", "searched"):
        (shared.path / name).mkdir()
        leave(shared.path / name)
    monkeypatch.setattr(os, "scandir", fail)
    with no_descriptor_leaks():
        assert sum(store.remove_leftovers()) == 1
    (record,) = caplog.records
    assert "cannot search 2 of the directories for unfinished uploads" in record.getMessage()
    assert (shared.path / "other" / f"{TEMPORARY_PREFIX}1-1").exists()


def directory_name(descriptor: int) -> str:
    return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))


def test_a_search_that_is_ended_early_leaves_nothing_open(shared: Shared, store: Store) -> None:
    with no_descriptor_leaks():
        steps = store.remove_leftovers()
        next(steps)
        steps.close()

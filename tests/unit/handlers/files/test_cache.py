"""The file cache: small files are served from memory only while they are unchanged on disk."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from reactor.handlers.files.cache import (
    MAX_FILE_SIZE,
    MAX_TOTAL_SIZE,
    MIN_AGE,
    OVERHEAD,
    CacheEntry,
    FileCache,
)
from reactor.handlers.files.media_types import binary, file_type
from reactor.handlers.files.metadata import FileMetadata, Representation
from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError

LATER = 60.0  # seconds after a file was written: old enough to be cached


class Clock:
    """A clock that is ``later`` seconds ahead of the time the files were written."""

    def __init__(self) -> None:
        self.later = LATER


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    (tmp_path / "below").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "below" / "file").write_bytes(b"below")
    times = os.stat(tmp_path / "file")
    one = Store(tmp_path, wall_clock=lambda: times.st_ctime + clock.later)
    yield one
    one.close()


def read(store: Store, name: str = "file") -> tuple[bytes, bool]:
    """Return the content of a file, and whether it was read without opening the file."""
    opened: list[str] = []
    real_open = os.open

    def counting(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_DIRECTORY:
            opened.append(path)
        return real_open(path, flags, mode, dir_fd=dir_fd)

    with patch("os.open", counting), closing(store.find(name)) as found:
        return b"".join(found.chunks(range(found.metadata.size))), not opened


@pytest.mark.parametrize(("name", "data"), [("file", b"old"), ("below/file", b"below")])
def test_a_small_file_is_cached_on_first_read(store: Store, name: str, data: bytes) -> None:
    assert read(store, name) == (data, False)
    assert read(store, name) == (data, True)


@pytest.mark.parametrize("new", [b"new", b"longer", b""])
def test_a_rewritten_file_is_read_again(store: Store, tmp_path: Path, new: bytes) -> None:
    read(store)
    (tmp_path / "file").write_bytes(new)
    assert read(store) == (new, False)


def test_a_file_replaced_with_the_same_times_is_read_again(store: Store, tmp_path: Path) -> None:
    read(store)
    status = os.stat(tmp_path / "file")
    (tmp_path / "other").write_bytes(b"new")
    os.utime(tmp_path / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(tmp_path / "other", tmp_path / "file")
    assert read(store) == (b"new", False)


def test_a_file_rewritten_with_the_same_size_and_time_is_read_again(store: Store, tmp_path: Path) -> None:
    read(store)
    status = os.stat(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"new")
    os.utime(tmp_path / "file", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read(store) == (b"new", False)


def test_an_uploaded_file_is_read_again(store: Store) -> None:
    read(store)
    upload = store.create("file", 3)
    upload.write(b"new")
    upload.commit()
    upload.close()
    assert read(store) == (b"new", False)


def test_a_removed_file_is_not_found(store: Store, tmp_path: Path) -> None:
    read(store)
    os.unlink(tmp_path / "file")
    with pytest.raises(HTTPError, match="file not found"):
        store.find("file")


@pytest.mark.parametrize("name", ["file", "below/file"])
def test_a_link_replacing_a_cached_file_is_not_followed(store: Store, tmp_path: Path, name: str) -> None:
    read(store, name)
    os.rename(tmp_path / name, tmp_path / "moved")
    os.symlink(tmp_path / "moved", tmp_path / name)
    with pytest.raises(HTTPError, match="file not found"):
        store.find(name)


def test_a_link_replacing_its_directory_is_not_followed(store: Store, tmp_path: Path) -> None:
    read(store, "below/file")
    os.rename(tmp_path / "below", tmp_path / "moved")
    os.symlink(tmp_path / "moved", tmp_path / "below")
    with pytest.raises(HTTPError, match="file not found"):
        store.find("below/file")


@pytest.mark.parametrize(("later", "kept"), [(0.0, False), (MIN_AGE - 0.1, False), (MIN_AGE + 1.0, True)])
def test_a_file_just_written_is_not_cached(store: Store, clock: Clock, later: float, kept: bool) -> None:
    clock.later = later
    read(store)
    assert read(store) == (b"old", kept)


def test_a_file_read_too_early_is_cached_later(store: Store, clock: Clock) -> None:
    clock.later = 0.0
    read(store)
    clock.later = LATER
    read(store)
    assert read(store) == (b"old", True)


@pytest.mark.parametrize(("size", "kept"), [(0, True), (MAX_FILE_SIZE, True), (MAX_FILE_SIZE + 1, False)])
def test_only_small_files_are_cached(store: Store, tmp_path: Path, size: int, kept: bool) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    read(store)
    assert read(store) == (b"x" * size, kept)


def test_a_file_changed_during_the_read_is_not_cached(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread

    def changing(descriptor: int, count: int, offset: int) -> bytes:
        data = pread(descriptor, count, offset)
        monkeypatch.undo()
        (tmp_path / "file").write_bytes(b"new")
        return data

    monkeypatch.setattr(os, "pread", changing)
    with closing(store.find("file")) as found:
        assert found.file is not None
    assert read(store) == (b"new", False)


def test_only_the_metadata_of_a_large_file_is_cached(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(MAX_FILE_SIZE + 1))
    with closing(store.find("file")) as one, closing(store.find("file")) as two:
        assert one.metadata is two.metadata
        assert one.data is two.data is None
    (tmp_path / "file").write_bytes(bytes(MAX_FILE_SIZE + 2))
    with closing(store.find("file")) as three:
        assert three.metadata.size == MAX_FILE_SIZE + 2


def test_the_cache_is_bounded_in_bytes(tmp_path: Path) -> None:
    cache = FileCache()
    for size in (0, MAX_FILE_SIZE):
        (tmp_path / "file").write_bytes(bytes(size))
        metadata = FileMetadata(os.stat(tmp_path / "file"), file_type("file", binary), 0.0)
        for content in (None, Representation(metadata, bytes(size), None)):
            one = CacheEntry([], metadata, content)
            for number in range(MAX_TOTAL_SIZE // one.cost + 10):
                for _ in range(2):
                    cache.put(str(number), one)
                assert 0 < cache._size <= MAX_TOTAL_SIZE
            assert cache._size == sum(each.cost for each in cache.values())
            assert one.cost == OVERHEAD + (size if content else 0)

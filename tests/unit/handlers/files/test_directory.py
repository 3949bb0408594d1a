"""Reading a directory in batches: only entries that can be requested; the descriptor is closed."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from reactor.handlers.files.directory import Entries, Entry, read_entries
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.unit.handlers.files.shared import Shared, no_descriptor_leaks, open_descriptors, refused_status


def opened(path: Path, batch: int = 256) -> Entries:
    return read_entries(os.open(path, os.O_RDONLY), lambda name: name != "unseen", batch)


def names_of(store: Store) -> list[str]:
    return sorted(entry.name for each in store.entries("") for entry in each)


def read(path: Path, batch: int = 256) -> list[Entry]:
    with no_descriptor_leaks():
        return sorted(entry for each in opened(path, batch) for entry in each)


def test_files_and_directories_are_read_with_their_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "below").mkdir()
    os.utime(tmp_path / "file", ns=(0, 1_999_999_999))
    os.utime(tmp_path / "below", ns=(0, -1))
    assert read(tmp_path) == [Entry("below", True, 0, -1), Entry("file", False, 5, 1)]


def test_an_empty_directory_has_no_entries(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_other_types_of_entries_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "up").symlink_to("..")
    os.mkfifo(tmp_path / "fifo")
    assert [entry.name for entry in read(tmp_path)] == ["file"]


def test_hidden_entries_are_skipped(tmp_path: Path) -> None:
    for name in ("seen", "unseen"):
        (tmp_path / name).touch()
    assert [entry.name for entry in read(tmp_path)] == ["seen"]


def test_names_that_are_not_utf_8_are_skipped(tmp_path: Path) -> None:
    for name in (b"\xff", b"half\xc3", "gr\u00fcn".encode()):
        (Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))).touch()
    assert [entry.name for entry in read(tmp_path)] == ["gr\u00fcn"]


@pytest.mark.parametrize("batch", [1, 3, 7, 8])
def test_a_step_reads_at_most_a_batch(tmp_path: Path, batch: int) -> None:
    for number in range(7):
        (tmp_path / str(number)).touch()
    sizes = [len(each) for each in opened(tmp_path, batch)]
    assert max(sizes) <= batch
    assert sum(sizes) == 7
    assert len(read(tmp_path, batch)) == 7


def test_entries_removed_meanwhile_are_skipped(tmp_path: Path) -> None:
    def remove(name: str) -> bool:
        (tmp_path / name).unlink()
        return True

    (tmp_path / "file").touch()
    assert list(read_entries(os.open(tmp_path, os.O_RDONLY), remove)) == [[]]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_closing_twice_closes_the_directory_once(tmp_path: Path, steps: int) -> None:
    for number in range(3):
        (tmp_path / str(number)).touch()
    with no_descriptor_leaks():
        entries = opened(tmp_path, 1)
        for _ in range(steps):
            next(entries, None)
        entries.close()
        entries.close()
        assert next(entries, None) is None


def test_a_directory_that_cannot_be_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with no_descriptor_leaks(), pytest.raises(OSError, match=os.strerror(errno.ENOTDIR)):
        opened(tmp_path / "file")


@pytest.mark.parametrize(
    ("modified", "timestamp"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        (1 << 62, "9999-12-31T23:59:59Z"),
        (-(1 << 62), "1000-01-01T00:00:00Z"),
    ],
)
def test_any_time_can_be_formatted(modified: int, timestamp: str) -> None:
    assert Entry("x", False, 0, modified).timestamp == timestamp


# Opening a directory through the store.


@pytest.mark.parametrize(
    ("name", "names"), [("", ["below", "file"]), ("below", ["file"]), ("below/", ["file"])]
)
def test_the_store_opens_a_directory(store: Store, name: str, names: list[str]) -> None:
    for _ in range(2):  # each iterator has its own read position
        entries = store.entries(name)
        assert sorted(entry.name for each in entries for entry in each) == names


@pytest.mark.parametrize(
    "name",
    ["/", "//", "file", "file/", "missing", "below//", "..", ".", "../outside", "link", ".git", "a\\b"],
)
def test_anything_but_a_directory_is_404(shared: Shared, store: Store, name: str) -> None:
    (shared.path / "link").symlink_to(shared.outside)
    (shared.path / ".git").mkdir()
    assert refused_status(lambda: store.open_directory(name)) == 404


def test_hidden_names_are_listed_if_shared_but_not_leftovers(
    shared: Shared, store: Store, hidden_store: Store
) -> None:
    for name in (".hidden", f"{TEMPORARY_PREFIX}1-1", "a\\b"):
        (shared.path / name).mkdir()
    assert [names_of(each) for each in (store, hidden_store)] == [
        ["below", "file"],
        [".hidden", "below", "file"],
    ]
    for name in (f"{TEMPORARY_PREFIX}1-1", "..", ".", "a\\b", "a\0b"):
        assert refused_status(partial(hidden_store.open_directory, name)) == 404
    before = open_descriptors()
    os.close(hidden_store.open_directory(".hidden"))
    assert open_descriptors() == before

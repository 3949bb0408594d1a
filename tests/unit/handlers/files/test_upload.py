"""Uploads to the store: replacement is atomic, and failed uploads leave no files."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import closing

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from tests.support.files import open_uploads
from tests.support.in_process import Harness
from tests.unit.handlers.files.shared import (
    Shared,
    named,
    no_descriptor_leaks,
    post,
    read,
    refused_status,
    upload,
)

pytestmark = pytest.mark.usefixtures("unnamed")
MIB = 1 << 20


def fail(number: int) -> Callable[..., int]:
    """Return a replacement for a system call that fails with this errno."""

    def call(*arguments: object, **more: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("name", ["new", "file", "below/new", "below/file"])
def test_a_committed_upload_has_its_name(shared: Shared, store: Store, name: str) -> None:
    old = shared.original_files.get(name)
    sink = store.create(name, 6)
    for piece in (b"abc", b"", b"def"):
        sink.write(piece)
        assert shared.files().get(name) == old
    sink.finish().commit()
    assert shared.files() == {**shared.original_files, name: b"abcdef"}
    sink.close()
    assert shared.files() == {**shared.original_files, name: b"abcdef"}
    assert read(store, name) == b"abcdef"


@pytest.mark.parametrize("pieces", [(), (b"",), (b"abc",), (bytes(3 * MIB), b"end")])
def test_a_cancelled_upload_leaves_nothing(shared: Shared, store: Store, pieces: tuple[bytes, ...]) -> None:
    with no_descriptor_leaks():
        sink = store.create("file", sum(map(len, pieces)))
        for piece in pieces:
            sink.write(piece)
        sink.close()
    shared.assert_untouched()


def test_an_upload_replaces_a_file_that_is_being_read(store: Store) -> None:
    with closing(store.find("file")) as found:
        upload(store, "file", b"new and longer than before")
        assert b"".join(found.chunks(range(found.metadata.size))) == b"inside"
    assert read(store, "file") == b"new and longer than before"


def test_of_two_uploads_of_one_name_the_last_wins(shared: Shared, store: Store) -> None:
    one, two = store.create("name", 6), store.create("name", 6)
    for first, second in ((b"aa", b"xx"), (b"bb", b"yy"), (b"cc", b"zz")):
        one.write(first)
        two.write(second)
    two.commit()
    assert read(store, "name") == b"xxyyzz"
    one.commit()
    assert read(store, "name") == b"aabbcc"
    two.close()
    one.close()
    assert shared.files() == {**shared.original_files, "name": b"aabbcc"}


def test_a_new_file_has_the_permissions_of_the_umask(shared: Shared, store: Store) -> None:
    before = os.umask(0o027)
    try:
        upload(store, "new", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((shared.path / "new").stat().st_mode) == 0o640


def test_partial_writes_are_continued(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda descriptor, data, at: write(descriptor, data[:1], at))
        upload(store, "new", b"abcdef", b"ghi")
    assert read(store, "new") == b"abcdefghi"


# Names that cannot be stored.


@pytest.mark.parametrize("name", ["below", "missing/new", "missing/below/new"])
def test_a_name_that_is_in_use_is_409(shared: Shared, store: Store, name: str) -> None:
    assert refused_status(lambda: store.create(name)) == 409
    shared.assert_untouched()


def test_a_directory_that_takes_the_name_during_the_upload_is_409(shared: Shared, store: Store) -> None:
    with no_descriptor_leaks(), closing(store.create("new", 1)) as sink:
        sink.write(b"x")
        (shared.path / "new").mkdir()
        assert refused_status(sink.commit) == 409
    shared.assert_untouched()


def test_a_link_made_during_the_upload_is_replaced(shared: Shared, store: Store) -> None:
    sink = store.create("new", 1)
    sink.write(b"x")
    (shared.path / "new").symlink_to(shared.outside / "file")
    sink.commit()
    sink.close()
    assert read(store, "new") == b"x"
    assert (shared.outside / "file").read_bytes() == b"outside"


@named
def test_a_removed_temporary_file_is_a_refusal(shared: Shared, store: Store) -> None:
    with no_descriptor_leaks(), closing(store.create("file", 1)) as sink:
        sink.write(b"x")
        for leftover in shared.path.glob(f"{TEMPORARY_PREFIX}*"):
            leftover.unlink()
        assert 400 <= refused_status(sink.commit) < 600
    shared.assert_untouched()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG])
def test_a_name_that_the_file_system_does_not_support_is_400(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with no_descriptor_leaks(), closing(store.create("what?", 1)) as sink:
        sink.write(b"x")
        for call in ("link", "rename"):
            monkeypatch.setattr(os, call, fail(number))  # FAT: EINVAL
        assert refused_status(sink.commit) == 400
    shared.assert_untouched()


# Free space.


@pytest.mark.parametrize(
    ("free", "minimum", "size", "taken"),
    [
        pytest.param(1000, 900, 100, True, id="exactly at the limit"),
        pytest.param(1000, 900, 101, False, id="one byte over"),
        pytest.param(900, 900, 0, True, id="nothing fits"),
        pytest.param(899, 900, 0, False, id="below the limit already"),
        pytest.param(0, 0, 0, True, id="a full disk takes an empty file"),
        pytest.param(0, 0, 1, False, id="a full disk takes no byte"),
    ],
)
def test_an_upload_without_enough_space_is_507(
    shared: Shared, free: int, minimum: int, size: int, taken: bool
) -> None:
    with closing(Store(shared.path, min_free_space=minimum, free_space=lambda descriptor: free)) as store:
        if taken:
            store.create("new", size).close()
        else:
            assert refused_status(lambda: store.create("new", size)) == 507
        shared.assert_untouched()


def filling_store(shared: Shared, room: int) -> Store:
    """Return a store with space for ``room`` bytes of uploads."""

    def free(descriptor: int) -> int:
        return 10_000 + room - sum(path.stat().st_size for path in open_uploads(shared.path))

    return Store(shared.path, min_free_space=10_000, free_space=free)


def upload_piece_by_piece(store: Store, content: bytes, announced: int) -> None:
    """Store content in chunks; ``announced`` is 0 for a chunked body."""
    with closing(store.create("new", announced)) as sink:
        for start in range(0, len(content), 1 << 16):
            sink.write(content[start : start + (1 << 16)])
        sink.finish().commit()


ROOMS = [0, 1, 1000, 3 * MIB - 1, 3 * MIB, 3 * MIB + 7]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("announced", [True, False], ids=["known length", "unknown length"])
def test_an_upload_may_use_the_space_up_to_the_limit(shared: Shared, room: int, announced: bool) -> None:
    with closing(filling_store(shared, room)) as store:
        upload_piece_by_piece(store, bytes(room), room * announced)
        assert read(store, "new") == bytes(room)


@pytest.mark.parametrize("room", ROOMS)
def test_an_upload_of_unknown_length_over_the_limit_is_507(shared: Shared, room: int) -> None:
    with closing(filling_store(shared, room)) as store:
        assert refused_status(lambda: upload_piece_by_piece(store, bytes(room + 1), 0)) == 507
    shared.assert_untouched()


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG], ids=["ENOSPC", "EDQUOT", "EFBIG"]
)
def test_a_disk_that_fills_up_is_507(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with no_descriptor_leaks(), closing(store.create("file", 6)) as sink:
        sink.write(b"abc")
        monkeypatch.setattr(os, "pwrite", fail(number))
        assert refused_status(lambda: sink.write(b"def")) == 507
    shared.assert_untouched()


@pytest.mark.parametrize("name", ["file", "new"])
@pytest.mark.parametrize("calls", [("link", "rename"), ("fsync",)])
def test_a_disk_that_is_full_at_the_end_is_507(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...], name: str
) -> None:
    with (
        closing(Store(shared.path, fsync=True)) as store,
        Harness(store=store) as server,
        monkeypatch.context() as patch,
    ):
        client = server.connect()
        with no_descriptor_leaks():
            for call in calls:
                patch.setattr(os, call, fail(errno.ENOSPC))
            assert post(client, f"/files/{name}", b"abc").status == 507
    shared.assert_untouched()


# Faults.


@pytest.mark.parametrize("call", range(3))
def test_running_out_of_descriptors_is_503(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    (shared.path / "below" / "deeper").mkdir()
    opened = iter(range(100))
    real_open = os.open

    def open_or_fail(*arguments: object, **more: object) -> int:
        if next(opened) >= call:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real_open(*arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_or_fail)
        assert refused_status(lambda: store.create("below/deeper/new")) == 503
    shared.assert_untouched()


@pytest.mark.parametrize("call", ["open", "stat", "fstatvfs"])
def test_an_error_before_an_upload_leaks_nothing(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail(errno.ENOMEM))
        assert refused_status(lambda: store.create("below/new")) == 503
    shared.assert_untouched()


def test_an_unexpected_error_is_500_and_leaks_nothing(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstatvfs", fail(errno.EIO))
        assert refused_status(lambda: store.create("below/new")) == 500
    shared.assert_untouched()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EWOULDBLOCK], ids=["ENOLCK", "EWOULDBLOCK"])
def test_an_unlockable_temporary_file_is_removed(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch, no_descriptor_leaks():
        patch.setattr(fcntl, "flock", fail(number))
        try:
            store.create("file", 1).close()
        except (OSError, HTTPError):
            pass  # raising an error is acceptable, and so is continuing without the lock
    shared.assert_untouched()


# --fsync.


def system_calls(monkeypatch: pytest.MonkeyPatch, store: Store) -> list[str]:
    """Upload a file; return its calls of fsync, rename and link, in order."""
    store.create("below/new").close()
    calls: list[str] = []
    fsync, rename, link = os.fsync, os.rename, os.link

    def note_fsync(descriptor: int) -> None:
        calls.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(*arguments: object, **more: object) -> None:
        calls.append("rename")
        rename(*arguments, **more)  # type: ignore[arg-type]

    def note_link(*arguments: object, **more: object) -> None:
        calls.append("link")
        link(*arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", note_fsync)
        patch.setattr(os, "rename", note_rename)
        patch.setattr(os, "link", note_link)
        with Harness(store=store) as server:
            assert post(server.connect(), "/files/below/new", b"x").status == 201
    return calls


def test_with_fsync_content_is_synced_before_the_name(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    store = Store(shared.path, fsync=True)
    assert system_calls(monkeypatch, store) == ["file", "link" if unnamed else "rename", "directory"]
    store.close()


def test_without_fsync_nothing_is_synced(
    store: Store, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    assert system_calls(monkeypatch, store) == ["link" if unnamed else "rename"]

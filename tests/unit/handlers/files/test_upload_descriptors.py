"""The descriptors that uploads hold; none is leaked if a temporary file cannot be removed."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from reactor.handlers.files.resumable import MAX_UPLOADS
from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.resumable_client import resumable, send
from tests.unit.handlers.files.shared import Shared, named, no_descriptor_leaks, open_descriptors, read
from tests.unit.handlers.files.test_replaced_directory import FORM, form

pytestmark = pytest.mark.usefixtures("unnamed")
PARTS = form("a", "b", "c")[:-2]
HELD = {
    "a file": (b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 1),
    "a file of a directory": (
        b"PUT /files/below/new HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        1,
    ),
    "a form": (
        f"POST /files/below/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{FORM}\r\n\r\n".encode() + PARTS,
        3,
    ),
}


@pytest.mark.parametrize("kind", HELD)
def test_each_file_that_is_uploaded_holds_one_descriptor(shared: Shared, server: Harness, kind: str) -> None:
    data, files = HELD[kind]
    with no_descriptor_leaks():
        client = server.connect()
        before = open_descriptors()
        client.send(data)
        assert open_descriptors() == before + files
        client.close()
    shared.assert_untouched()


@pytest.fixture
def cannot_remove(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Make every unlink fail; return the list of names it is called with."""
    store.create("new").close()  # if the first upload makes a file to try something, that is removed
    asked: list[object] = []

    def unlink(path: object, *, dir_fd: int | None = None) -> None:
        asked.append(path)
        raise PermissionError(errno.EACCES, "planted")

    monkeypatch.setattr(os, "unlink", unlink)
    return asked


@named
def test_an_upload_that_cannot_remove_its_file_closes_it_and_logs(
    store: Store, cannot_remove: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    with no_descriptor_leaks():
        sink = store.create("new", 3)
        sink.write(b"abc")
        sink.close()
    assert caplog.messages == [f"cannot remove the unfinished upload {cannot_remove[0]!r}: planted"]


@named
def test_an_upload_removes_its_file_although_no_other_descriptor_is_free(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_descriptor_leaks(), monkeypatch.context() as patch:
        sink = store.create("below/new", 3)
        sink.write(b"abc")
        real_open, own = os.open, Path(f"/proc/self/fd/{sink._file.descriptor}")

        def open_or_fail(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if own.exists():
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real_open(path, flags, mode, dir_fd=dir_fd)

        patch.setattr(os, "open", open_or_fail)
        sink.close()
    shared.assert_untouched()


def test_an_upload_whose_file_cannot_be_removed_is_evicted(
    shared: Shared, cannot_remove: list[object]
) -> None:
    with no_descriptor_leaks(), resumable(shared) as server:
        client = server.connect()
        for _ in range(MAX_UPLOADS):
            assert send(client, "PUT", "/files/new", b"x", "Upload-Complete: ?0").status == 201
        before = open_descriptors()
        assert send(client, "PUT", "/files/new", b"x", "Upload-Complete: ?0").status == 201
        assert open_descriptors() == before
        assert len(cannot_remove) == 1
    assert len(cannot_remove) == MAX_UPLOADS + 2  # and the lock


def test_an_upload_may_end_after_its_store(shared: Shared) -> None:
    with no_descriptor_leaks():
        store = Store(shared.path)
        sinks = [store.create(name, 3) for name in ("new", "below/new")]
        store.close()
        for sink in sinks:
            sink.write(b"abc")
            with pytest.raises(HTTPError, match="replaced or removed"):
                sink.commit()
            sink.close()
    shared.assert_untouched()


@named
def test_an_upload_whose_file_is_removed_closes_it(shared: Shared, store: Store) -> None:
    with no_descriptor_leaks():
        sink = store.create("new", 3)
        [temporary] = shared.files().keys() - shared.original_files.keys()
        (shared.path / temporary).unlink()
        sink.close()
    shared.assert_untouched()


@named
def test_an_unlockable_and_unremovable_file_is_closed(
    store: Store, cannot_remove: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "planted")

    monkeypatch.setattr(fcntl, "flock", flock)
    with no_descriptor_leaks(), pytest.raises((HTTPError, OSError)):
        store.create("new", 3)
    assert len(cannot_remove) == 1


@named
def test_an_unlockable_file_is_closed_and_removed(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "planted")

    monkeypatch.setattr(fcntl, "flock", flock)
    with no_descriptor_leaks(), pytest.raises((HTTPError, OSError)):
        store.create("new", 3)
    shared.assert_untouched()


@named
def test_an_aborted_upload_that_cannot_be_removed_is_closed(
    shared: Shared, server: Harness, cannot_remove: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    with no_descriptor_leaks():
        client: Client = server.connect()
        client.send(b"POST /files/new HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc")
        client.close()
        assert not server.context.connections
    assert len(cannot_remove) == 1
    assert "planted" in caplog.text
    assert "new" not in shared.files()


def test_a_committed_upload_is_closed_without_removing_anything(
    store: Store, cannot_remove: list[object]
) -> None:
    with no_descriptor_leaks():
        sink = store.create("new", 3)
        sink.write(b"abc")
        sink.commit()
        sink.close()
    assert cannot_remove == []
    assert read(store, "new") == b"abc"

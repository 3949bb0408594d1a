"""Idle resumable uploads: they hold no descriptor, and no clean-up removes their files."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.resumable import MAX_UPLOADS
from reactor.handlers.files.store import Store
from tests.support.in_process import Harness
from tests.unit.handlers.files.resumable_client import head, offset, patch_lines, resumable, resume, send
from tests.unit.handlers.files.shared import (
    Shared,
    no_descriptor_leaks,
    open_descriptors,
    request,
)

LOCK = 1  # the descriptor that protects the files of all uploads
CONNECTION = 2  # both ends


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    with no_descriptor_leaks(), resumable(shared) as harness:
        yield harness


def begin(server: Harness, name: str = "new", content: bytes = b"abc") -> str:
    """Upload a first part, and disconnect."""
    client = server.connect()
    answer = send(client, "PUT", f"/files/{name}", content, "Upload-Complete: ?0")
    client.close()
    assert answer.status == 201
    return answer.headers["location"]


def clean(path: Path) -> int:
    """Do what a server does that starts to share a directory; return how many files it has removed."""
    with closing(Store(path)) as other:
        return sum(other.remove_leftovers())


def temporary_files(shared: Shared) -> list[Path]:
    return sorted(shared.path.rglob(f"{TEMPORARY_PREFIX}*"))


# Descriptors.


def test_idle_uploads_hold_no_descriptor(shared: Shared, server: Harness) -> None:
    before = open_descriptors()
    locations = [begin(server, f"below/{number}") for number in range(MAX_UPLOADS)]
    assert open_descriptors() == before + LOCK
    for location in locations:
        assert offset(server, location) == 3
    for client in server.clients:
        client.close()
    assert open_descriptors() == before + LOCK
    for location in locations:
        assert resume(server, location, 3, b"def", True).status == 201
    for client in server.clients:
        client.close()
    assert open_descriptors() == before
    assert temporary_files(shared) == []
    assert {(shared.path / "below" / str(number)).read_bytes() for number in range(MAX_UPLOADS)} == {
        b"abcdef"
    }


def test_an_upload_holds_one_descriptor_while_it_is_written(server: Harness) -> None:
    location = begin(server)
    before = open_descriptors()
    first, second = server.connect(), server.connect()
    unfinished = head("PATCH", location, "Content-Length: 10", *patch_lines(3, False)) + b"def"
    first.send(unfinished)
    assert open_descriptors() == before + 2 * CONNECTION + 1
    second.send(unfinished.replace(b"Offset: 3", b"Offset: 6"))  # takes over
    assert open_descriptors() == before + 2 * CONNECTION + 1
    assert offset(server, location) == 9  # and so does this: it closes the file
    assert open_descriptors() == before + 3 * CONNECTION
    second.send(b"late")
    assert second.responses()[0].status == 409
    for client in server.clients:
        client.close()
    assert open_descriptors() == before
    assert offset(server, location) == 9


def test_without_a_descriptor_to_continue_an_upload_waits(
    server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = begin(server)
    with monkeypatch.context() as patch:

        def fail(*arguments: object, **keywords: object) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patch.setattr(os, "open", fail)
        assert resume(server, location, 3, b"def", True).status == 503
    assert resume(server, location, 3, b"def", True).status == 201


# Clean-up.


@pytest.mark.parametrize("name", ["new", "below/new", "below/deeper/new"])
@pytest.mark.parametrize("cleaned", ["..", ".", "below", "below/deeper"])
def test_the_start_of_another_server_keeps_idle_uploads(
    shared: Shared, server: Harness, name: str, cleaned: str
) -> None:
    """Whether it shares the same directory, or one above or below it."""
    (shared.path / "below" / "deeper").mkdir()
    location = begin(server, name)
    assert clean(shared.path / cleaned) == 0
    assert resume(server, location, 3, b"def", True).status == 201
    assert (shared.path / name).read_bytes() == b"abcdef"
    assert temporary_files(shared) == []


def test_the_clean_up_of_the_same_server_keeps_idle_uploads(shared: Shared) -> None:
    with closing(Store(shared.path)) as store:
        sink = store.create("below/new", is_resumable=True)
        sink.write(b"abc")
        sink.suspend()
        assert sum(store.remove_leftovers()) == 0
        sink.reopen()
        sink.commit()
        sink.close()
    assert (shared.path / "below" / "new").read_bytes() == b"abc"


@pytest.mark.parametrize("cleaned", ["..", "."])
def test_the_files_of_a_killed_server_are_removed(shared: Shared, server: Harness, cleaned: str) -> None:
    """Even if another one with idle uploads runs."""
    (shared.path / f"{TEMPORARY_PREFIX}1-ab-1").touch()
    for name in (f"{TEMPORARY_PREFIX}1-ab-1.0.2", f"below/{TEMPORARY_PREFIX}1-ab-1.1.3"):
        (shared.path / name).write_bytes(b"part")
    (shared.path / "below" / f"{TEMPORARY_PREFIX}1-cd-1.1.3").touch()  # its lock was removed before
    (shared.path / f"{TEMPORARY_PREFIX}1-ab-1.{'9' * 99}.4").touch()  # not a name that a server gives
    location = begin(server, "below/new")
    assert clean(shared.path / cleaned) == 5
    assert offset(server, location) == 3


def test_the_lock_is_removed_with_the_last_upload(shared: Shared, server: Harness) -> None:
    first, second = begin(server, "below/a"), begin(server, "below/b")
    assert len(temporary_files(shared)) == 3
    assert request(server.connect(), "DELETE", first).status == 204
    assert len(temporary_files(shared)) == 2
    assert resume(server, second, 3, b"def", True).status == 201
    assert temporary_files(shared) == []
    assert offset(server, begin(server)) == 3
    (lock, _) = temporary_files(shared)
    assert lock.stat().st_size == 0


def test_uploads_stay_open_if_the_shared_directory_is_read_only(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only directories below it are writable, so the lock cannot be created."""
    real_open = os.open

    def open_or_refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        in_root = dir_fd is not None and os.path.samestat(os.fstat(dir_fd), shared.path.stat())
        if flags & os.O_CREAT and in_root:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_or_refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (16, 16))
    before = open_descriptors()
    location, other = begin(server, "below/new"), begin(server, "below/other")
    assert open_descriptors() == before + 2
    assert send(server.connect(), "PUT", "/files/below/third", b"", "Upload-Complete: ?0").status == 503
    assert request(server.connect(), "DELETE", other).status == 204
    begin(server, "below/third")
    assert clean(shared.path) == 0
    assert resume(server, location, 3, b"def", True).status == 201
    assert (shared.path / "below" / "new").read_bytes() == b"abcdef"

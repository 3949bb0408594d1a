"""An upload whose directory is moved, replaced or removed is 409, and leaves nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reactor import handlers
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.files import open_uploads
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.resumable_client import patch_lines
from tests.unit.handlers.files.shared import Shared, no_descriptor_leaks, request
from tests.unit.handlers.files.test_replaced_directory import FORM, form

pytestmark = pytest.mark.usefixtures("unnamed")
FOREIGN = b"of another process"


@pytest.fixture(params=[False, True], ids=["", "fsync"])
def server(request: Any, shared: Shared) -> Iterator[Harness]:
    with (
        no_descriptor_leaks(),
        closing(Store(shared.path, fsync=request.param)) as store,
        Harness(handlers.build(store, resumable=1000)) as harness,
    ):
        yield harness


def temporary_names(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob(f"{TEMPORARY_PREFIX}*")]


def move_out(shared: Shared) -> Path:
    return (shared.path / "below").rename(shared.outside / "moved")


def move_inside(shared: Shared) -> None:
    (shared.path / "below").rename(shared.path / "moved")


def replace(shared: Shared) -> None:
    move_out(shared)
    (shared.path / "below").mkdir()


def replace_by_one_with_the_same_names(shared: Shared) -> None:
    """As another server does that has the same process id in its container."""
    names = temporary_names(move_out(shared))
    (shared.path / "below").mkdir()
    for name in names:
        (shared.path / "below" / name).write_bytes(FOREIGN)


def replace_by_link(shared: Shared) -> None:
    (shared.path / "below").symlink_to(move_out(shared))


def replace_by_file(shared: Shared) -> None:
    move_out(shared)
    (shared.path / "below").touch()


def delete(shared: Shared) -> None:
    shutil.rmtree(shared.path / "below")


def delete_and_make(shared: Shared) -> None:
    delete(shared)
    (shared.path / "below").mkdir()


Change = Callable[[Shared], object]
CHANGES: list[Change] = [move_out, move_inside, replace, replace_by_one_with_the_same_names, replace_by_link]
CHANGES += [replace_by_file, delete, delete_and_make]

BODY = b"Content-Length: 6\r\n\r\nabc", b"def"
PARTS = form("up", "other")
UPLOADS = {
    "POST": (b"POST /files/below/up HTTP/1.1\r\nHost: x\r\n", *BODY),
    "a condition": (b"PUT /files/below/up HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n", *BODY),
    "a resumable upload": (b"PUT /files/below/up HTTP/1.1\r\nHost: x\r\nUpload-Complete: ?1\r\n", *BODY),
    "a form": (
        f"POST /files/below/ HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {len(PARTS)}\r\n\r\n".encode(),
        PARTS[:-3],
        PARTS[-3:],
    ),
}


def assert_nothing_is_stored(shared: Shared) -> None:
    """Assert that all files existed before the upload, and are unchanged."""
    for base in (shared.path, shared.outside):
        for path in base.rglob("*"):
            if path.is_file():
                foreign = path.name.startswith(TEMPORARY_PREFIX)
                content = {FOREIGN} if foreign else {b"inside", b"inside below", b"outside", b""}
                assert path.read_bytes() in content, path
                assert foreign or path.name in ("file", "below")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_whose_directory_changes_is_409_and_leaves_nothing(
    shared: Shared, server: Harness, kind: str, change: Change
) -> None:
    head, first, rest = UPLOADS[kind]
    client = server.connect()
    client.send(head + first)
    assert open_uploads(shared.path / "below")
    change(shared)
    client.send(rest)
    (answer,) = client.responses()
    assert answer.status == 409
    assert answer.content == (
        b"the directory, or the temporary file in it, was replaced or removed during the upload\n"
    )
    assert_nothing_is_stored(shared)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", UPLOADS)
def test_an_interrupted_upload_whose_directory_changes_leaves_nothing(
    shared: Shared, server: Harness, kind: str, change: Change
) -> None:
    head, first, _ = UPLOADS[kind]
    client = server.connect()
    client.send(head + first)
    change(shared)
    client.close()
    assert_nothing_is_stored(shared)


def test_the_files_of_a_form_in_two_directories_are_removed_from_both(
    shared: Shared, server: Harness
) -> None:
    """The directory is replaced during the form, and is back at its end."""
    head, _, _ = UPLOADS["a form"]
    second = PARTS.index(b"--b", 3)
    client = server.connect()
    client.send(head + PARTS[:second])
    replace(shared)
    client.send(PARTS[second:-3])
    (shared.path / "below").rename(shared.outside / "other")
    (shared.outside / "moved").rename(shared.path / "below")
    client.send(PARTS[-3:])
    client.assert_responds(409)
    assert not temporary_names(shared.path) + temporary_names(shared.outside)
    assert_nothing_is_stored(shared)


@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_survives_while_its_directory_is_away(shared: Shared, server: Harness, kind: str) -> None:
    head, first, rest = UPLOADS[kind]
    client = server.connect()
    client.send(head + first)
    move_out(shared).rename(shared.path / "below")
    client.send(rest)
    client.assert_responds(303 if kind == "a form" else 201)
    assert (shared.path / "below" / "up").read_bytes() == (b"new" if kind == "a form" else b"abcdef")
    assert not temporary_names(shared.path)


def test_the_directory_is_opened_without_following_a_link_above_it(shared: Shared, server: Harness) -> None:
    (shared.path / "below" / "deeper").mkdir()
    client = server.connect()
    client.send(b"POST /files/below/deeper/up HTTP/1.1\r\nHost: x\r\n" + BODY[0])
    replace_by_link(shared)
    client.send(BODY[1])
    client.assert_responds(409)
    assert_nothing_is_stored(shared)


# Unfinished resumable uploads.


def begin(server: Harness, name: str = "below/up") -> str:
    client = server.connect()
    lines = ("Upload-Complete: ?0", "Content-Length: 3")
    location = request(client, "PUT", f"/files/{name}", *lines, content=b"abc").headers["location"]
    client.close()
    return location


def resume(client: Client, location: str) -> int:
    return request(
        client, "PATCH", location, "Content-Length: 3", *patch_lines(3, True), content=b"def"
    ).status


@pytest.mark.parametrize("change", CHANGES)
def test_an_idle_upload_whose_directory_changes_is_409(
    shared: Shared, server: Harness, change: Change
) -> None:
    location = begin(server)
    change(shared)
    assert resume(server.connect(), location) == 409
    assert request(server.connect(), "HEAD", location).status == 404
    # A file in a directory that was moved away is found by the clean-up of a server that shares it.
    moved = change in (
        move_out,
        replace,
        replace_by_link,
        replace_by_file,
        replace_by_one_with_the_same_names,
    )
    with closing(Store(shared.outside)) as other:
        assert sum(other.remove_leftovers()) == moved
    with closing(Store(shared.path)) as other:
        expected = (move_inside, replace_by_one_with_the_same_names)
        assert sum(other.remove_leftovers()) == (change in expected)
    assert_nothing_is_stored(shared)


@pytest.mark.parametrize("name", ["up", "below/up"])
def test_an_idle_upload_is_removed_when_the_shared_directory_is_replaced(
    shared: Shared, server: Harness, name: str
) -> None:
    begin(server, name)
    former = shared.path.rename(shared.outside / "former")
    shared.path.mkdir()
    begin(server, "other")  # a new upload does not look up the path, but its end does
    request(server.connect(), "PUT", "/files/new", "Content-Length: 0")
    assert not temporary_names(former)


def test_an_idle_upload_into_the_new_directory_has_a_lock_there(shared: Shared, server: Harness) -> None:
    head, first, rest = UPLOADS["a resumable upload"]
    client = server.connect()
    client.send(head + first)  # its lock is in the former directory
    former = shared.path.rename(shared.outside / "former")
    (shared.path / "below").mkdir(parents=True)
    request(server.connect(), "PUT", "/files/new", "Content-Length: 0")
    location = begin(server)
    with closing(Store(shared.path)) as other:
        assert sum(other.remove_leftovers()) == 0
    client.send(rest)
    client.assert_responds(409)
    assert resume(server.connect(), location) == 201
    assert not temporary_names(former)


def swap(path: Path) -> None:
    (path.parent / "swapped").write_bytes(b"xyz")
    os.rename(path.parent / "swapped", path)


def link(path: Path) -> None:
    path.rename(path.parent / "moved")
    path.symlink_to("moved")


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def shorten(path: Path) -> None:
    os.truncate(path, 2)


def lengthen(path: Path) -> None:
    os.truncate(path, 4)


@pytest.mark.parametrize("name", ["up", "below/up"])
@pytest.mark.parametrize("change", [swap, link, make_fifo, shorten, lengthen, Path.unlink])
def test_another_file_is_never_stored_as_an_idle_upload(
    shared: Shared, server: Harness, name: str, change: Callable[[Path], None]
) -> None:
    location = begin(server, name)
    (path,) = shared.path.rglob(f"{TEMPORARY_PREFIX}*.[01].*")
    change(path)
    assert resume(server.connect(), location) == 409
    assert resume(server.connect(), location) == 404
    assert not (shared.path / name).exists()
    if change is swap:
        assert path.read_bytes() == b"xyz"

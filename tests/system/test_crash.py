"""``kill -9`` during an upload: the old file stays complete, and no partial file is served or left.

A plain upload has no name until it is complete, if the file system supports that; a resumable one has a
temporary name, and another file is the lock of its server.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.files import open_uploads, supports_unnamed
from tests.support.process import ClientConnection, ServerProcess

OLD = b"old" * 1000
HALF = b"new" * 100_000
LENGTH = f"Content-Length: {2 * len(HALF)}"
RESUMABLE = "Upload-Complete: ?1"
KINDS = {"plain": (), "resumable": (RESUMABLE,)}  # additional header lines


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    shared = tmp_path / "shared"
    (shared / "below").mkdir(parents=True)
    (shared / "file").write_bytes(OLD)
    yield shared
    for leftover in leftovers(shared):
        leftover.unlink()


def leftovers(directory: Path) -> list[Path]:
    """Return the files that the test did not create."""
    known = {directory / "file", directory / "below" / "file"}
    return [path for path in directory.rglob("*") if path.is_file() and path not in known]


def files_left(directory: Path, kind: str) -> int:
    """Return how many files the upload of a killed server leaves."""
    if kind == "resumable":
        return 2
    return 0 if supports_unnamed(directory) else 1


def has_written(server: ServerProcess, directory: Path, size: int) -> Callable[[], bool]:
    return lambda: sum(path.stat().st_size for path in open_uploads(directory, server.pid)) == size


def serve(directory: Path, *options: str) -> ServerProcess:
    return ServerProcess("--directory", str(directory), "--resumable", *options)


def upload_half(
    server: ServerProcess, directory: Path, kind: str, path: str = "/files/file"
) -> ClientConnection:
    """Begin an upload; return when half of it is on disk."""
    client = server.connect()
    client.send_head("POST", path, LENGTH, *KINDS[kind])
    client.send(HALF)
    server.keep_asking_until(has_written(server, directory, len(HALF)))
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_in_the_middle_of_an_upload_leaves_the_old_file_whole(directory: Path, kind: str) -> None:
    with serve(directory) as server:
        upload_half(server, directory, kind)
        assert server.get("/files/file").content == OLD
        server.kill()
    assert (directory / "file").read_bytes() == OLD
    assert len(leftovers(directory)) == files_left(directory, kind)
    with serve(directory) as server:
        server.keep_asking_until(lambda: not leftovers(directory))
        assert server.get("/files/file").content == OLD


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_in_the_middle_of_an_upload_of_a_new_name_leaves_nothing(directory: Path, kind: str) -> None:
    with serve(directory) as server:
        upload_half(server, directory, kind, "/files/below/new")
        assert server.get("/files/below/new").status == 404
        server.kill()
    assert not (directory / "below" / "new").exists()
    assert len(leftovers(directory)) == files_left(directory, kind)
    with serve(directory) as server:
        server.keep_asking_until(lambda: not leftovers(directory))
        assert server.get("/files/below/new").status == 404


def test_readers_see_the_old_file_until_the_new_one_is_whole(directory: Path) -> None:
    with ServerProcess("--directory", str(directory)) as server:
        client, reader = server.connect(), server.connect()
        client.send_head("POST", "/files/file", LENGTH)
        for start in range(0, len(HALF), 10_000):
            client.send(HALF[start : start + 10_000])
            assert reader.get("/files/file").content == OLD
            assert (directory / "file").read_bytes() == OLD
        client.send(HALF)
        assert client.answer().status == 201
        assert reader.get("/files/file").content == HALF + HALF
        assert leftovers(directory) == []


def test_who_has_begun_to_read_the_old_file_reads_it_to_its_end(directory: Path) -> None:
    old = bytes(range(256)) * 65_536
    (directory / "file").write_bytes(old)
    with ServerProcess("--directory", str(directory)) as server:
        reader = server.connect(receive_buffer=4096)
        reader.send_head("GET", "/files/file", "Connection: close")
        reader.read_head()
        with server.connect() as client:
            assert client.post("/files/file", b"new").status == 201
        assert server.get("/files/file").content == b"new"
        assert reader.read_to_end() == old


@pytest.mark.parametrize("options", [(), ("--hidden",)], ids=["", "--hidden"])
def test_a_temporary_name_is_never_served(directory: Path, options: tuple[str, ...]) -> None:
    with serve(directory, *options) as server:
        client = upload_half(server, directory, "resumable")
        for temporary in leftovers(directory):
            for method in ("GET", "HEAD"):
                with server.connect() as other:
                    other.send_head(method, f"/files/{temporary.name}")
                    assert other.answer(method).status == 404
            with server.connect() as other:
                assert other.post(f"/files/{temporary.name}", b"mine").status == 404
        client.send(HALF)
        assert client.answer().status == 201
        assert (directory / "file").read_bytes() == HALF + HALF


def test_a_leftover_of_a_killed_server_is_not_served_by_one_that_runs_beside_it(directory: Path) -> None:
    earlier = directory / ".reactor-upload-1-1"
    earlier.touch()
    with serve(directory, "--hidden") as other:
        other.keep_asking_until(lambda: not earlier.exists())  # its clean-up has searched this directory
        with serve(directory, "--hidden") as killed:
            upload_half(killed, directory, "resumable")
            killed.kill()
        assert leftovers(directory)
        for leftover in leftovers(directory):
            assert other.get(f"/files/{leftover.name}").status == 404


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_start_leaves_an_upload_of_a_living_server_alone(directory: Path, kind: str) -> None:
    with serve(directory) as first:
        client = upload_half(first, directory, kind)
        with serve(directory) as second:
            assert len(leftovers(directory)) == files_left(directory, kind)
            assert second.get("/files/file").content == OLD
            client.send(HALF)
            assert client.answer().status == 201
            assert second.get("/files/file").content == HALF + HALF


def test_two_living_servers_may_upload_one_name_at_once(directory: Path) -> None:
    with (
        ServerProcess("--directory", str(directory)) as first,
        ServerProcess("--directory", str(directory)) as second,
    ):
        client = upload_half(first, directory, "plain")
        with second.connect() as other:
            assert other.post("/files/file", b"second").status == 201
        assert first.get("/files/file").content == b"second"
        client.send(HALF)
        assert client.answer().status == 201
        assert second.get("/files/file").content == HALF + HALF
        assert leftovers(directory) == []


def test_leftovers_are_found_in_every_directory_and_nothing_else_is_removed(directory: Path) -> None:
    with serve(directory) as server:
        (directory / "below" / "deeper").mkdir()
        for path in ("/files/a", "/files/below/b", "/files/below/deeper/c"):
            client = server.connect()
            client.send_head("POST", path, "Content-Length: 2", RESUMABLE)
            client.send(b"x")
        server.keep_asking_until(lambda: len(leftovers(directory)) == 4)
        server.kill()
    (directory / "below" / "file").write_bytes(b"kept")
    with ServerProcess("--directory", str(directory)) as server:
        server.keep_asking_until(lambda: not leftovers(directory))
    assert (directory / "below" / "file").read_bytes() == b"kept"
    assert (directory / "file").read_bytes() == OLD


def test_a_fifo_that_is_called_like_a_leftover_does_not_block_the_start(directory: Path) -> None:
    fifo = directory / ".reactor-upload-1-1"
    os.mkfifo(fifo)
    try:
        with ServerProcess("--directory", str(directory)) as server:
            assert server.get("/files/file").content == OLD
    finally:
        fifo.unlink(missing_ok=True)


def begin_resumable(server: ServerProcess, path: str) -> str:
    """Upload the first half of a file, and disconnect; return where it can be resumed."""
    with server.connect() as client:
        client.send_head("PUT", path, f"Content-Length: {len(HALF)}", "Upload-Complete: ?0")
        client.send(HALF)
        answer = client.answer()
    assert answer.status == 201
    return answer.headers["location"]


def test_the_next_start_leaves_an_unfinished_upload_of_a_living_server_alone(directory: Path) -> None:
    shared = ("--directory", str(directory), "--resumable")
    with ServerProcess(*shared) as killed, ServerProcess(*shared) as first:
        for _ in range(50):  # its own clean-up, a step in each turn, must not see the files below
            assert first.get("/").status == 200
        begin_resumable(killed, "/files/below/a")
        killed.kill()
        location = begin_resumable(first, "/files/below/b")
        assert len(leftovers(directory)) == 4  # two files and two locks
        with ServerProcess(*shared) as second:
            second.keep_asking_until(lambda: len(leftovers(directory)) == 2)
            second.keep_asking_until(lambda: "removed 2 unfinished uploads" in (second.stderr.next() or ""))
        with first.connect() as client:
            lines = ("Content-Type: application/partial-upload", f"Upload-Offset: {len(HALF)}")
            client.send_head("PATCH", location, f"Content-Length: {len(HALF)}", "Upload-Complete: ?1", *lines)
            client.send(HALF)
            assert client.answer().status == 201
        assert (directory / "below" / "b").read_bytes() == HALF + HALF
        (directory / "below" / "b").unlink()
        assert leftovers(directory) == []

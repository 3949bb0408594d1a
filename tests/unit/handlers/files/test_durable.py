"""With --fsync, uploads are written to the disk by a worker thread, and other clients do not wait."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from reactor import handlers
from reactor.handlers.files.store import Store
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, open_descriptors, request
from tests.unit.http11.test_multipart import form, head

pytestmark = pytest.mark.usefixtures("unnamed")
FORM = form(head(filename="new") + b"first", head(filename="b") + b"second")
MULTIPART = "Content-Type: multipart/form-data; boundary=x"
DIGEST = "Repr-Digest: sha-256=:p5N7ZLjKpY8Dchu2us9ceMsjX+vg5wsbhM2ZVBRhoI4=:"  # of "first"
PATCH = ("Upload-Offset: 2", "Content-Type: application/partial-upload")


class Worker(list[Callable[[], object]]):
    """The functions for a worker thread, which the test calls; ``synced`` is what they write to the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[str] = []

    def work(self) -> None:
        """Call one function."""
        assert len(self) == 1
        self.pop(0)()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    one = Worker()

    def fsync(descriptor: int) -> None:
        one.synced.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    return one


@pytest.fixture
def server(shared: Shared, worker: Worker) -> Iterator[Harness]:
    before = open_descriptors()
    with closing(Store(shared.path, fsync=True)) as store:
        routes = handlers.build(store, allow_delete=True, resumable=1000)
        with Harness(routes, in_worker=worker.append) as harness:
            yield harness
    assert open_descriptors() == before


@pytest.fixture
def client(server: Harness) -> Client:
    return server.connect()


def send(client: Client, method: str, path: str, content: bytes, *lines: str) -> None:
    fields = "".join(f"{line}\r\n" for line in ("Host: x", f"Content-Length: {len(content)}", *lines))
    client.send(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode() + content)


def put(client: Client) -> None:
    send(client, "PUT", "/files/new", b"first")


def submit(client: Client) -> None:
    send(client, "POST", "/files/", FORM, MULTIPART)


def resumable(client: Client) -> None:
    send(client, "PUT", "/files/new", b"first", "Upload-Complete: ?1")


def begin(client: Client) -> str:
    """Upload a part; return the location for the rest."""
    lines = ("Content-Length: 2", "Upload-Complete: ?0")
    return request(client, "PUT", "/files/new", *lines, content=b"fi").headers["location"]


def resume(client: Client) -> None:
    send(client, "PATCH", begin(client), b"rst", "Upload-Complete: ?1", *PATCH)


UPLOADS = pytest.mark.parametrize(
    ("upload", "status", "files"),
    [(put, 201, 1), (submit, 303, 2), (resumable, 201, 1), (resume, 201, 1)],
)


@UPLOADS
def test_only_writing_to_the_disk_is_left_to_the_worker(
    shared: Shared,
    server: Harness,
    client: Client,
    worker: Worker,
    upload: Callable[[Client], None],
    status: int,
    files: int,
) -> None:
    upload(client)
    client.assert_open()
    assert client.connection.state is State.AWAITING_RESULT
    assert (worker.synced, (shared.path / "new").exists()) == ([], False)
    assert server.connect().get("/echo/hi").content == b"hi"
    worker.work()
    assert (worker.synced, (shared.path / "new").read_bytes()) == (["file"] * files, b"first")
    client.assert_open()
    worker.work()
    assert worker.synced == [*["file"] * files, "directory"]
    client.assert_responds(status)
    assert not worker
    assert not list(shared.path.glob(".reactor*"))


@pytest.mark.parametrize("upload", [put, resumable, resume])
def test_an_upload_holds_one_descriptor_in_each_step(
    server: Harness, client: Client, worker: Worker, upload: Callable[[Client], None]
) -> None:
    """Also when its client has disconnected."""
    lock = upload is not put  # of resumable uploads
    before = open_descriptors() + lock
    upload(client)
    assert open_descriptors() == before + 1
    worker.work()
    assert open_descriptors() == before + 1
    client.close()
    assert open_descriptors() == before - 1  # both ends of the connection are closed
    worker.work()
    assert open_descriptors() == before - 2 - lock


def test_a_part_of_an_upload_is_not_written_to_the_disk(client: Client, worker: Worker) -> None:
    begin(client)
    assert not worker


@UPLOADS
@pytest.mark.parametrize("after", [0, 1])
def test_the_upload_of_a_client_that_disconnects_is_stored(
    shared: Shared,
    client: Client,
    worker: Worker,
    upload: Callable[[Client], None],
    status: int,
    files: int,
    after: int,
) -> None:
    upload(client)
    for _ in range(after):
        worker.work()
    client.close()
    for _ in range(2 - after):
        worker.work()
    assert (shared.path / "new").read_bytes() == b"first"
    assert not list(shared.path.glob(".reactor*"))
    assert not client.server.context.abandoned


@pytest.mark.parametrize(("lines", "status"), [(("If-None-Match: *",), 412), ((), 204)])
def test_conditions_are_checked_after_the_content_is_written(
    shared: Shared, server: Harness, client: Client, worker: Worker, lines: tuple[str, ...], status: int
) -> None:
    send(client, "PUT", "/files/new", b"first", "If-None-Match: *")
    other = server.connect()
    send(other, "PUT", "/files/new", b"second", *lines)
    first, second = worker
    worker.clear()
    first()  # both are written, and the first is renamed
    worker.work()
    client.assert_responds(201)
    second()
    if status == 412:
        other.assert_responds(412)
        assert (shared.path / "new").read_bytes() == b"first"
    else:
        worker.work()
        other.assert_responds(201)  # the file did not exist when the upload began
        assert (shared.path / "new").read_bytes() == b"second"


@pytest.mark.parametrize("upload", [put, submit, resumable])
def test_a_directory_that_is_replaced_meanwhile_is_409(
    shared: Shared, client: Client, worker: Worker, upload: Callable[[Client], None]
) -> None:
    upload(client)
    shared.path.rename(shared.outside / "former")
    shared.path.mkdir()
    worker.work()
    client.assert_responds(409)
    assert not worker
    assert list(shared.path.iterdir()) == []


def test_a_resumable_upload_that_is_being_stored_cannot_be_changed(
    shared: Shared, server: Harness, client: Client, worker: Worker
) -> None:
    location = begin(client)
    send(client, "PATCH", location, b"rst", "Upload-Complete: ?1", *PATCH)
    other = server.connect()
    assert request(other, "DELETE", location).status == 404
    assert request(other, "HEAD", location).status == 404
    worker.work()
    worker.work()
    client.assert_responds(201)
    assert (shared.path / "new").read_bytes() == b"first"


@UPLOADS
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_the_disk_is_answered(
    shared: Shared,
    client: Client,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    upload: Callable[[Client], None],
    status: int,
    files: int,
    failing: int,
) -> None:
    upload(client)
    for _ in range(failing):
        worker.work()

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    worker.work()
    answer = client.assert_responds(507)
    assert answer.headers.get("upload-complete") == ("?1" if upload in (resumable, resume) else None)
    assert (shared.path / "new").exists() == (failing == 1 and upload is not submit)
    assert not list(shared.path.glob(".reactor*"))


def test_the_digest_is_checked(shared: Shared, client: Client, worker: Worker) -> None:
    send(client, "PUT", "/files/new", b"first", DIGEST)
    worker.work()
    worker.work()
    client.assert_responds(201)
    send(client, "PUT", "/files/new", b"other", DIGEST)
    client.assert_responds(400)
    assert not worker


@pytest.mark.parametrize("upload", [put, submit, resumable, resume])
def test_without_fsync_there_is_nothing_for_a_worker(
    shared: Shared, worker: Worker, upload: Callable[[Client], None]
) -> None:
    with closing(Store(shared.path)) as store:
        routes = handlers.build(store, resumable=1000)
        with Harness(routes, in_worker=worker.append) as server:
            client = server.connect()
            upload(client)
            assert client.responses("POST")[-1].status in (201, 303)
    assert (worker, worker.synced) == ([], [])

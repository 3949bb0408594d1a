"""The last descriptor of a large file is closed in the background: freeing its blocks takes long."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor import handlers
from reactor.handlers.files.closing import LARGE
from reactor.handlers.files.media_types import TYPES
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from reactor.server.server import Server
from tests.support.command import CommandServer
from tests.support.in_process import Client, Harness
from tests.support.requests import chunks
from tests.unit.handlers.files.shared import Shared, no_descriptor_leaks, open_descriptors, request

pytestmark = pytest.mark.usefixtures("unnamed")
NOT_STORED = "If-None-Match: *"
FORM = "Content-Type: multipart/form-data; boundary=x"


class Background(list[Callable[[], object]]):
    """The functions to be called in the background."""

    def run(self) -> None:
        """Call them."""
        while self:
            self.pop(0)()


def nameless() -> int:
    """Return how many descriptors of files that were deleted from the shared directory are open."""
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    deleted = [Path(link.removesuffix(" (deleted)")) for link in links if link.endswith(" (deleted)")]
    return sum(path.parent.name == "shared" and path.parent.exists() for path in deleted)


def make(shared: Shared, name: str, size: int = LARGE) -> Path:
    """Make a file of a size, which takes no space."""
    path = shared.path / name
    path.touch()
    os.truncate(path, size)
    return path


@pytest.fixture
def background() -> Iterator[Background]:
    before = open_descriptors()
    functions = Background()
    yield functions
    functions.run()
    assert open_descriptors() == before


@pytest.fixture
def store(shared: Shared, background: Background) -> Iterator[Store]:
    one = Store(shared.path, media_type=TYPES["guess"], precompressed=True)
    one.close_in_background(background.append)
    yield one
    one.close()


@pytest.fixture
def server(store: Store) -> Iterator[Harness]:
    routes = handlers.build(store, allow_delete=True, resumable=1 << 30)
    with Harness(routes, turn_send=10_000) as harness:
        yield harness


@pytest.fixture
def client(server: Harness) -> Client:
    return server.connect()


def assert_pending(background: Background) -> None:
    """Assert that one deleted file is open until it is closed in the background."""
    assert (len(background), nameless()) == (1, 1)
    background.run()
    assert nameless() == 0


@pytest.mark.parametrize(("method", "status"), [("PUT", 204), ("POST", 201)])
@pytest.mark.parametrize("condition", ["X: y", "If-Match: *"])
def test_a_large_file_that_is_replaced(
    shared: Shared, client: Client, background: Background, method: str, status: int, condition: str
) -> None:
    make(shared, "large")
    answer = request(client, method, "/files/large", "Content-Length: 3", condition, content=b"new")
    assert answer.status == status
    assert (shared.path / "large").read_bytes() == b"new"
    assert_pending(background)


def test_a_file_that_became_large_during_the_upload(
    shared: Shared, client: Client, background: Background
) -> None:
    content = b"a" * 70_000
    client.send(b"PUT /files/new HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    make(shared, "new")
    client.send(chunks(content[:1000], content[1000:]))
    client.assert_responds(201)
    assert_pending(background)


@pytest.mark.parametrize("unnamed", [True], indirect=True)
def test_a_large_file_that_took_the_name_of_a_small_upload(
    shared: Shared, client: Client, background: Background
) -> None:
    client.send(b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
    make(shared, "new")
    client.send(b"abc")
    client.assert_responds(201)
    assert_pending(background)


@pytest.mark.parametrize("keeps", ["link", "download"])
def test_a_replaced_file_that_is_still_used_is_unchanged(
    shared: Shared, client: Client, background: Background, keeps: str
) -> None:
    path = make(shared, "large")
    path.write_bytes(b"0123456789" * (LARGE // 10 + 1))
    if keeps == "link":
        os.link(path, shared.outside / "link")
    with open(path, "rb") as used:
        assert request(client, "PUT", "/files/large", "Content-Length: 3", content=b"new").status == 204
        background.run()
        assert used.read() == b"0123456789" * (LARGE // 10 + 1)


def test_a_replaced_file_with_another_name_is_closed_at_once(
    shared: Shared, client: Client, background: Background
) -> None:
    os.link(make(shared, "large"), shared.outside / "link")
    with no_descriptor_leaks():
        assert request(client, "PUT", "/files/large", "Content-Length: 3", content=b"new").status == 204
    assert not background


def test_a_large_file_that_is_deleted(shared: Shared, client: Client, background: Background) -> None:
    make(shared, "large")
    assert request(client, "DELETE", "/files/large").status == 204
    assert not (shared.path / "large").exists()
    assert_pending(background)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_failed_change_leaves_no_descriptor(
    shared: Shared, client: Client, background: Background, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: object, **named: object) -> None:
        raise PermissionError(13, "planted")

    make(shared, "large")
    with no_descriptor_leaks(), monkeypatch.context() as patch:
        patch.setattr(os, "rename" if method == "PUT" else "unlink", fail)
        if method == "PUT":
            lines = ("Content-Length: 3",)
            assert request(client, method, "/files/large", *lines, content=b"new").status == 403
        else:
            assert request(client, method, "/files/large").status == 403
    assert not background


def test_a_large_upload_that_is_aborted(shared: Shared, client: Client, background: Background) -> None:
    client.send(b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (LARGE + 1))
    client.send(bytes(LARGE))
    client.close()
    shared.assert_untouched()
    assert_pending(background)


def test_a_large_resumable_upload_that_is_cancelled(
    shared: Shared, client: Client, background: Background
) -> None:
    lines = (f"Content-Length: {LARGE}", "Upload-Complete: ?0")
    location = request(client, "PUT", "/files/new", *lines, content=bytes(LARGE)).headers["location"]
    assert not background
    assert request(client, "DELETE", location).status == 204
    shared.assert_untouched()
    assert_pending(background)


def test_a_form_with_many_files_that_is_aborted(
    shared: Shared, client: Client, background: Background
) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\n'
    content = b"\r\n".join(part % number + bytes(LARGE // 8) for number in range(10))
    client.send(f"POST /files/ HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {1 << 24}\r\n\r\n".encode())
    client.send(content)
    client.close()
    assert len(background) == 1
    shared.assert_untouched()  # only the loop may use the shared directory, to remove the files
    background.run()
    shared.assert_untouched()


def test_a_form_that_is_stored_is_closed_at_once(client: Client, background: Background) -> None:
    content = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%b\r\n--x--\r\n' % bytes(
        LARGE
    )
    lines = (FORM, f"Content-Length: {len(content)}")
    with no_descriptor_leaks():
        assert request(client, "POST", "/files/", *lines, content=content).status == 303
    assert not background


@pytest.mark.parametrize(
    "lines", [(), ("Range: bytes=1-",), ("Range: bytes=1-2,5-",), ("Accept-Encoding: gzip",)]
)
@pytest.mark.parametrize("name", ["large", "large.txt"])
def test_a_download_of_a_file_that_was_deleted(
    shared: Shared, client: Client, background: Background, name: str, lines: tuple[str, ...]
) -> None:
    (shared.path / name).write_bytes(os.urandom(3 * LARGE))
    head = "".join(f"{line}\r\n" for line in ("Host: x", *lines))
    client.sock.send(f"GET /files/{name} HTTP/1.1\r\n{head}\r\n".encode())
    client.server.reactor.turn()
    (shared.path / name).unlink()
    client.close()
    assert_pending(background)


def test_a_download_of_a_variant_that_was_deleted(
    shared: Shared, client: Client, background: Background
) -> None:
    make(shared, "page.html", 3)
    (shared.path / "page.html.gz").write_bytes(b"\x1f\x8b\x08" + os.urandom(3 * LARGE))
    client.sock.send(b"GET /files/page.html HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
    client.server.reactor.turn()
    (shared.path / "page.html.gz").unlink()
    client.close()
    assert_pending(background)


def test_a_download_of_a_file_that_exists_is_closed_at_once(
    shared: Shared, client: Client, background: Background
) -> None:
    make(shared, "large")
    with no_descriptor_leaks():
        assert len(client.get("/files/large").content) == LARGE
        assert client.get("/files/large", 'If-None-Match: "x"').status == 200
        assert request(client, "HEAD", "/files/large").status == 200
    assert not background


def test_a_large_file_may_be_closed_again(shared: Shared, store: Store, background: Background) -> None:
    make(shared, "large")
    found = store.find("large")
    for _ in range(2):
        found.close()
    assert not background


def test_a_large_leftover_of_a_killed_process(shared: Shared, store: Store, background: Background) -> None:
    make(shared, f"{TEMPORARY_PREFIX}1-1")
    assert sum(store.remove_leftovers()) == 1
    shared.assert_untouched()
    assert_pending(background)


def test_small_files_are_closed_at_once(shared: Shared, client: Client, background: Background) -> None:
    make(shared, "small", LARGE - 1)
    assert request(client, "PUT", "/files/small", "Content-Length: 3", content=b"new").status == 204
    make(shared, "small", LARGE - 1)
    assert request(client, "DELETE", "/files/small").status == 204
    client.send(b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    client.close()
    assert (list(background), nameless()) == ([], 0)


def test_without_a_background_files_are_closed_at_once(shared: Shared) -> None:
    make(shared, "large")
    with closing(Store(shared.path)) as store, no_descriptor_leaks():
        store.remove("large")


def test_the_command_closes_in_the_workers_of_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    in_background = Server.in_background

    def note(server: Server, function: Callable[[], object]) -> None:
        called.append(function)
        in_background(server, function)

    monkeypatch.setattr(Server, "in_background", note)
    (tmp_path / "large").write_bytes(bytes(LARGE))
    with CommandServer("--allow-delete", str(tmp_path)) as server:
        connection = server.connect()
        connection.send_head("DELETE", "/files/large")
        assert connection.read_head().startswith(b"HTTP/1.1 204 ")
    assert len(called) == 1
    assert not (tmp_path / "large").exists()

"""POST /files/{name...}: uploads are stored completely or not at all; errors state a reason."""

import errno
import os
from collections.abc import Callable

import pytest

from reactor import handlers
from reactor.handlers.files.store import Store
from tests.support.files import open_uploads
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, open_descriptors, post, request

pytestmark = pytest.mark.usefixtures("unnamed")


def test_an_upload_is_stored_before_its_response(shared: Shared, client: Client) -> None:
    answer = post(client, "/files/new", b"content")
    assert (answer.status, answer.content) == (201, b"")
    assert shared.files() == {**shared.original_files, "new": b"content"}


@pytest.mark.parametrize(
    ("line", "body", "content"),
    [
        pytest.param("Content-Length: 0", b"", b"", id="empty"),
        pytest.param("Content-Length: 3", b"abc", b"abc", id="Content-Length"),
        pytest.param("Transfer-Encoding: chunked", b"0\r\n\r\n", b"", id="empty, chunked"),
        pytest.param("Transfer-Encoding: chunked", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", id="chunked"),
    ],
)
@pytest.mark.parametrize("byte_by_byte", [False, True], ids=["whole", "octet by octet"])
def test_an_upload_may_be_framed_in_any_way(
    shared: Shared, client: Client, line: str, body: bytes, content: bytes, byte_by_byte: bool
) -> None:
    data = f"POST /files/file HTTP/1.1\r\nHost: test\r\n{line}\r\n\r\n".encode() + body
    for piece in [data[i : i + 1] for i in range(len(data))] if byte_by_byte else [data]:
        client.send(piece)
    client.assert_responds(201)
    assert shared.files() == {**shared.original_files, "file": content}
    assert client.get("/files/file").content == content


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("path", ["/files/file", "/files/new", "/files/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "lines", ["", "If-Match: *\r\n", "Expect: 100-continue\r\n", "Connection: keep-alive\r\n"]
)
def test_an_upload_without_a_length_is_411_and_changes_nothing(
    shared: Shared, client: Client, method: str, path: str, version: str, lines: str
) -> None:
    client.send(f"{method} {path} HTTP/{version}\r\nHost: test\r\n{lines}\r\ncontent".encode())
    answer = client.assert_responds(411)
    assert answer.content.startswith(b"missing Content-Length or Transfer-Encoding")
    client.assert_closed()  # what follows may be the content: it is not parsed as a request
    shared.assert_untouched()


def test_readers_see_old_or_new_content_never_a_mix(shared: Shared, server: Harness, client: Client) -> None:
    reader = server.connect()
    client.send(b"POST /files/file HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n")
    for byte in b"brand new"[:-1]:
        client.send(bytes([byte]))
        assert reader.get("/files/file").content == b"inside"
        assert (shared.path / "file").read_bytes() == b"inside"
    client.send(b"w")
    client.assert_responds(201)
    assert reader.get("/files/file").content == b"brand new"


def test_simultaneous_uploads_of_one_name_are_each_complete(shared: Shared, server: Harness) -> None:
    one, two = server.connect(), server.connect()
    for client in (one, two):
        client.send(b"POST /files/file HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n")
    for first, second in ((b"a", b"x"), (b"b", b"y"), (b"c", b"z")):
        one.send(first)
        two.send(second)
    two.send(b"!")
    two.assert_responds(201)
    assert one.server.connect().get("/files/file").content == b"xyz!"
    one.send(b"?")
    one.assert_responds(201)
    assert shared.files() == {**shared.original_files, "file": b"abc?"}


def test_an_upload_to_a_directory_is_409(shared: Shared, client: Client) -> None:
    assert post(client, "/files/below", b"x").status == 409
    shared.assert_untouched()


def test_an_upload_into_a_missing_directory_is_409(shared: Shared, client: Client) -> None:
    assert post(client, "/files/missing/new", b"x").status == 409
    shared.assert_untouched()


def test_a_body_at_the_limit_is_accepted(shared: Shared, client: Client) -> None:
    assert post(client, "/files/new", bytes(1000)).status == 201
    assert (shared.path / "new").stat().st_size == 1000


def test_a_body_over_the_limit_is_413_before_reading(shared: Shared, client: Client) -> None:
    assert request(client, "POST", "/files/new", "Content-Length: 1001").status == 413
    shared.assert_untouched()


def test_a_chunked_body_over_the_limit_is_413(shared: Shared, client: Client) -> None:
    head = b"POST /files/new HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(head + b"3e8\r\n" + bytes(1000) + b"\r\n1\r\nx\r\n0\r\n\r\n")
    client.assert_responds(413)
    shared.assert_untouched()


def test_too_little_space_is_507_before_reading(shared: Shared) -> None:
    store = Store(shared.path, min_free_space=100, free_space=lambda descriptor: 110)
    with Harness(store=store) as server:
        lines = ("Content-Length: 11", "Expect: 100-continue")
        assert request(server.connect(), "POST", "/files/new", *lines).status == 507
        assert post(server.connect(), "/files/new", bytes(10)).status == 201
    store.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_forbidden_method_is_405_with_allow(shared: Shared, store: Store, method: str) -> None:
    with Harness(handlers.build(store, read_only=True)) as server:
        answer = request(server.connect(), method, "/files/new", "Content-Length: 1", content=b"x")
        assert answer.status == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
        assert server.connect().get("/files/file").content == b"inside"
    shared.assert_untouched()


def test_allow_lists_write_methods(client: Client) -> None:
    answer = request(client, "OPTIONS", "/files/file")
    assert answer.status == 204
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "PUT"}


def test_without_a_store_there_are_no_files(shared: Shared) -> None:
    with Harness() as server:
        assert request(server.connect(), "GET", "/files/file").status == 404
        assert post(server.connect(), "/files/file", b"x").status == 404
    shared.assert_untouched()


# Interrupted uploads.


def vanish(client: Client) -> None:
    client.close()


def say_no_more(client: Client) -> None:
    client.half_close()
    client.assert_closed()


def be_too_slow(client: Client) -> None:
    client.server.clock.advance(21)
    client.assert_responds(408)


def break_the_framing(client: Client) -> None:
    client.send(b"no chunk size\r\n")
    client.assert_responds(400)


def stop_the_server(client: Client) -> None:
    client.connection.abort()


@pytest.mark.parametrize("end", [vanish, say_no_more, be_too_slow, break_the_framing, stop_the_server])
@pytest.mark.parametrize(
    "begun", [b"", b"3\r\nabc\r\n", b"40\r\nabc"], ids=["nothing", "a chunk", "half a chunk"]
)
def test_an_aborted_upload_leaves_nothing(
    shared: Shared, server: Harness, end: Callable[[Client], None], begun: bytes
) -> None:
    if end is break_the_framing and begun.startswith(b"40"):
        begun += b"x" * 61 + b"\r\n"
    before = open_descriptors()
    client = server.connect()
    client.send(b"POST /files/file HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + begun)
    assert open_uploads(shared.path), "the upload has not begun"
    end(client)
    shared.assert_untouched()
    client.close()
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("number", "status"),
    [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)],
    ids=["full", "quota", "EIO"],
)
def test_a_disk_error_is_reported_and_leaves_nothing(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def write(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(number, os.strerror(number))

    before = open_descriptors()
    client = server.connect()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        assert post(client, "/files/file", b"content").status == status
    client.close()
    shared.assert_untouched()
    assert open_descriptors() == before
    assert server.connect().get("/files/file").content == b"inside"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_out_of_descriptors_is_503_and_the_connection_persists(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def no_descriptor(*arguments: object, **more: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_descriptor)
        answer = request(server.connect(), method, "/files/file", "Content-Length: 0")
        assert answer.status == 503
    assert server.connect().get("/files/file").content == b"inside"
    shared.assert_untouched()


def test_many_requests_of_all_kinds_leak_nothing(shared: Shared, server: Harness) -> None:
    client = server.connect()
    before = open_descriptors()
    for _ in range(50):
        assert client.get("/files/file").content == b"inside"
        for path in ("/files/absent", "/files/below//", "/files/..", "/files/file/x"):
            assert request(client, "GET", path).status == 404
        assert request(client, "HEAD", "/files/file").status == 200
        assert post(client, "/files/new", b"x").status == 201
    assert open_descriptors() == before
    for _ in range(50):
        for path in ("/files/below", "/files/missing/x", "/files/link\\x"):
            other = server.connect()
            assert post(other, path, b"x").status in (400, 404, 409)
            other.close()
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/files/.hidden", "invalid file name: '.hidden' (--hidden allows names that begin with a dot)"),
        (
            "/files/.directory/new",
            "invalid file name: '.directory' (--hidden allows names that begin with a dot)",
        ),
        ("/files/...", "invalid file name: '...' (--hidden allows names that begin with a dot)"),
        ("/files/x/..", "invalid file name: '..' (this name is reserved)"),
        ("/files/.a%5Cb", r"invalid file name: '.a\\b' (backslash and NUL are not allowed)"),
        ("/files/a%5Cb", r"invalid file name: 'a\\b' (backslash and NUL are not allowed)"),
        ("/files/below//new", "missing file name, or empty path segment (expected NAME or DIRECTORY/NAME)"),
        ("/files/" + "n" * 256, "file name too long: 256 bytes (limit: 255)"),
        ("/files/" + "%C3%A9" * 128, "file name too long: 256 bytes (limit: 255)"),
    ],
)
def test_an_invalid_name_is_refused_with_a_reason(client: Client, path: str, reason: str) -> None:
    answer = post(client, path, b"x")
    assert (answer.status, answer.content.decode()) == (404, f"{reason}\n")

"""``GET /files/{name...}``, and names that can be neither read nor written."""

import os

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import SECRET, Shared, open_descriptors, post, request

OUT_OF_REACH = {
    "nothing, as a directory": "/files//",
    "up, as a directory": "/files/../",
    "the directory above, encoded": "/files/%2e%2e/",
    "the directory itself, as a directory": "/files/./",
    "up": "/files/../outside/file",
    "up from below": "/files/below/../../outside/file",
    "encoded dots": "/files/%2e%2e/outside/file",
    "one encoded dot": "/files/.%2E/outside/file",
    "an encoded slash": "/files/..%2Foutside%2Ffile",
    "all encoded": "/files/%2e%2e%2f%6futside%2ffile",
    "double-encoded": "/files/%252e%252e/outside/file",
    "double-encoded slash": "/files/..%252Foutside%252Ffile",
    "absolute": "/files//etc/passwd",
    "absolute, encoded": "/files/%2Fetc%2Fpasswd",
    "empty parts": "/files/below//file",
    "an empty part at the end": "/files/file/",
    "a backslash": "/files/..%5Coutside%5Cfile",
    "overlong UTF-8 dots": "/files/%c0%ae%c0%ae/outside/file",
    "overlong UTF-8 slash": "/files/..%c0%afoutside%c0%affile",
    "NUL": "/files/file%00",
    "NUL and a suffix": "/files/file%00.txt",
    "not UTF-8": "/files/%ff",
    "half a surrogate": "/files/%ed%a0%80",
    "a broken escape": "/files/%zz",
    "half an escape": "/files/file%2",
    "the directory": "/files/.",
    "a directory that is not there": "/files/missing/",
    "a hidden directory": "/files/.directory/",
    "a linked directory": "/files/links/",
    "a linked directory without its slash": "/files/links",
    "a FIFO as a directory": "/files/fifo/",
    "a link": "/files/link",
    "through a link": "/files/links/file",
    "a dangling link": "/files/dangling",
    "a FIFO": "/files/fifo",
    "hidden": "/files/.hidden",
    "below hidden": "/files/.directory/file",
    "a leftover": f"/files/{TEMPORARY_PREFIX}1-1",
    "a long name": "/files/" + "n" * 256,
    "a very long name": "/files/" + "n" * 5000,
}


@pytest.fixture
def traps(shared: Shared) -> None:
    """Create files in the directory that must not be served."""
    (shared.path / "link").symlink_to(shared.outside / "file")
    (shared.path / "links").symlink_to(shared.outside)
    (shared.path / "dangling").symlink_to(shared.outside / "new")
    (shared.path / ".directory").mkdir()
    for name in (".hidden", ".directory/file", f"{TEMPORARY_PREFIX}1-1"):
        (shared.path / name).write_bytes(SECRET)
    os.mkfifo(shared.path / "fifo")


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("path", OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_paths_outside_are_refused(server: Harness, path: str) -> None:
    for method in ("GET", "HEAD"):
        client = server.connect()
        before = open_descriptors()
        answer = request(client, method, path)
        assert answer.status in ((404, 400) if "%" in path else (404,))
        assert SECRET not in answer.content
        assert open_descriptors() == before
    assert server.connect().get("/files/file").content == b"inside"


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("path", OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_paths_outside_cannot_be_written(shared: Shared, server: Harness, path: str) -> None:
    files = shared.files()
    before = open_descriptors()
    client = server.connect()
    assert post(client, path, b"written").status in (400, 404, 409)
    client.close()
    assert open_descriptors() == before
    assert shared.files() == files
    assert {path.name for path in shared.outside.rglob("*")} == {"below", "file"}
    assert (shared.outside / "file").read_bytes() == SECRET


def test_a_name_is_decoded_once(shared: Shared, client: Client) -> None:
    assert post(client, "/files/%252e%252e", b"literal").status == 201
    assert (shared.path / "%2e%2e").read_bytes() == b"literal"
    assert client.get("/files/%252e%252e").content == b"literal"


def test_the_query_is_not_part_of_the_name(client: Client) -> None:
    assert client.get("/files/file?../outside/file").content == b"inside"


@pytest.mark.usefixtures("traps")
def test_hidden_names_are_shared_but_not_leftovers(hidden_store: Store) -> None:
    with Harness(store=hidden_store) as server:
        client = server.connect()
        assert client.get("/files/.hidden").content == SECRET
        assert client.get("/files/.directory/file").content == SECRET
        assert request(client, "GET", f"/files/{TEMPORARY_PREFIX}1-1").status == 404
        assert request(client, "GET", "/files/..").status == 404


# Downloads.


@pytest.mark.parametrize("size", [0, 1, 999, 70_000, 3_000_000])
def test_a_file_is_sent_as_octet_stream(shared: Shared, client: Client, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    (shared.path / "file").write_bytes(content)
    answer = client.get("/files/file", "Accept-Encoding: identity")
    assert (answer.status, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(size)
    assert client.get("/files/below/file").content == b"inside below"


def test_head_has_the_same_fields_as_get_and_closes_the_file(client: Client) -> None:
    before = open_descriptors()
    answer = request(client, "HEAD", "/files/file")
    assert (answer.status, answer.headers["content-length"]) == (200, "6")
    assert open_descriptors() == before
    assert client.get("/files/file").content == b"inside"


def test_a_disconnect_closes_the_file(shared: Shared, server: Harness) -> None:
    (shared.path / "large").write_bytes(bytes(8_000_000))
    before = open_descriptors()
    client = server.connect()
    client.send(b"GET /files/large HTTP/1.1\r\nHost: test\r\n\r\n")
    assert open_descriptors() == before + 3  # both ends of the connection, and the file
    client.close()
    assert open_descriptors() == before


def test_a_shrinking_file_aborts_the_connection(shared: Shared, server: Harness) -> None:
    (shared.path / "large").write_bytes(b"x" * 8_000_000)
    client = server.connect()
    client.send(b"GET /files/large HTTP/1.1\r\nHost: test\r\n\r\n")
    os.truncate(shared.path / "large", 4_000_000)
    _, _, content = client.read().partition(b"\r\n\r\n")
    assert client.closed
    assert content == b"x" * len(content)
    assert len(content) <= 4_000_000

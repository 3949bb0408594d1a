"""The features of each stage, over real sockets, with the server started as a user starts it."""

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ClientConnection, ServerProcess, head


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[ServerProcess]:
    with ServerProcess("--directory", str(directory)) as process:
        yield process


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[ClientConnection]:
    with ClientConnection(server.port) as client:
        yield client


def test_stage_1_the_port_is_bound(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20):
        pass


def test_stage_2_the_root_is_200_and_empty(connection: ClientConnection) -> None:
    connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = connection.answer()
    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize("path", ["/nothing", "/index.html", "/echo", "/filesystem", "/user-agent/x"])
def test_stage_3_any_other_path_is_404(connection: ClientConnection, path: str) -> None:
    assert connection.get(path).status == 404


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("/echo/abc", b"abc", id="a word"),
        pytest.param("/echo/a/b//c", b"a/b//c", id="slashes"),
        pytest.param("/echo/a%20b%C3%A9", "a bé".encode(), id="percent-encoded"),
        pytest.param("/echo/", b"", id="nothing"),
        pytest.param("/echo/abc?x=1", b"abc", id="without the query"),
    ],
)
def test_stage_4_echo_answers_with_the_rest_of_the_path(
    connection: ClientConnection, path: str, content: bytes
) -> None:
    answer = connection.get(path)
    assert (answer.status, answer.content) == (200, content)
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == str(len(content))
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "line", ["User-Agent: foobar/1.2.3", "user-agent:foobar/1.2.3 ", "USER-AGENT: \tfoobar/1.2.3"]
)
def test_stage_5_the_user_agent_is_told_in_whatever_case_it_came(
    connection: ClientConnection, line: str
) -> None:
    answer = connection.get("/user-agent", line)
    assert (answer.status, answer.content) == (200, b"foobar/1.2.3")
    assert answer.headers["content-type"] == "text/plain"


def test_stage_5_no_user_agent_is_empty_content(connection: ClientConnection) -> None:
    answer = connection.get("/user-agent")
    assert (answer.status, answer.content) == (200, b"")


def test_stage_6_connections_are_served_at_once(server: ServerProcess) -> None:
    connections = [server.connect() for _ in range(20)]
    for connection in connections:
        connection.send(b"GET /echo/half")  # each of them has sent a part of its request
    for number, connection in reversed(list(enumerate(connections))):
        connection.send(f"-{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.answer().content == f"half-{number}".encode()


def test_stage_7_a_file_is_sent_as_an_octet_stream(connection: ClientConnection, directory: Path) -> None:
    content = bytes(range(256)) * 1000
    (directory / "download").write_bytes(content)
    answer = connection.get("/files/download")
    assert (answer.status, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "256000"


def test_stage_7_a_file_that_is_not_there_is_404(connection: ClientConnection) -> None:
    assert connection.get("/files/absent").status == 404
    assert connection.get("/").status == 200  # and the connection persists


def test_stage_7_without_a_directory_there_are_no_files() -> None:
    with ServerProcess() as server:
        assert server.get("/files/setup.cfg").status == 404


def test_stage_8_an_upload_is_201_and_on_the_disk_before_the_answer(
    connection: ClientConnection, directory: Path
) -> None:
    for round_ in range(20):
        name, content = f"upload-{round_}", b"%d\x00\r\n" % round_
        answer = connection.post(f"/files/{name}", content)
        assert (directory / name).read_bytes() == content
        assert (answer.status, answer.content) == (201, b"")
        assert connection.get(f"/files/{name}").content == content


def test_stage_8_an_upload_may_be_chunked(connection: ClientConnection, directory: Path) -> None:
    connection.send(head("POST", "/files/chunked", "Transfer-Encoding: chunked"))
    connection.send(b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")
    assert connection.answer().status == 201
    assert (directory / "chunked").read_bytes() == b"abc0123456789abcdef"


def test_stage_8_a_client_that_asks_first_is_told_to_go_on(
    connection: ClientConnection, directory: Path
) -> None:
    connection.send(head("POST", "/files/asked", "Content-Length: 3", "Expect: 100-continue"))
    assert connection.answer().status == 100
    connection.send(b"abc")
    assert connection.answer().status == 201
    assert (directory / "asked").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("line", "coding"),
    [
        pytest.param("Accept-Encoding: gzip", "gzip", id="stage 9: one that is known"),
        pytest.param("Accept-Encoding: invalid-encoding", None, id="stage 9: one that is not"),
        pytest.param("Accept-Encoding: x1, gzip, x2", "gzip", id="stage 10: many, one is known"),
        pytest.param("Accept-Encoding: x1, x2", None, id="stage 10: many, none is known"),
        pytest.param("Accept-Encoding: GZIP", "gzip", id="in capitals"),
        pytest.param("Accept-Encoding: gzip;q=0", None, id="gzip is refused"),
        pytest.param("Accept-Encoding: gzip;q=0.5, identity", None, id="identity is preferred"),
        pytest.param("Accept-Encoding: *", "gzip", id="anything"),
        pytest.param("Accept-Encoding: x-gzip", "x-gzip", id="by its old name"),
        pytest.param("Accept-Encoding:", None, id="none at all"),
    ],
)
def test_stages_9_and_10_the_content_coding_is_negotiated(
    connection: ClientConnection, line: str, coding: str | None
) -> None:
    answer = connection.get("/echo/abc", line)
    assert answer.status == 200
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (gzip.decompress(answer.content) if coding else answer.content) == b"abc"


@pytest.mark.parametrize("length", [0, 1, 3, 100, 8000])
def test_stage_11_gzip_content_has_its_own_length_and_decompresses(
    connection: ClientConnection, length: int
) -> None:
    text = "ab" * (length // 2) + "c" * (length % 2)
    answer = connection.get(f"/echo/{text}", "Accept-Encoding: gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert gzip.decompress(answer.content) == text.encode()
    assert connection.get("/echo/next").content == b"next"  # the length was right: the next response is found


def test_stage_12_a_connection_persists(connection: ClientConnection) -> None:
    for number in range(50):
        answer = connection.get(f"/echo/{number}")
        assert answer.content == str(number).encode()
        assert "connection" not in answer.headers


def test_stage_12_requests_in_one_piece_are_answered_in_order(connection: ClientConnection) -> None:
    connection.send(b"".join(head("GET", f"/echo/{number}") for number in range(100)))
    assert [connection.answer().content for _ in range(100)] == [
        str(number).encode() for number in range(100)
    ]


def test_stage_13_persistent_connections_are_independent(server: ServerProcess) -> None:
    one, two, three = server.connect(), server.connect(), server.connect()
    assert one.get("/echo/1").content == b"1"
    three.send(b"POST /files/three HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
    assert two.get("/user-agent", "User-Agent: two").content == b"two"
    one.send(b"GET /echo/1-")
    assert two.get("/user-agent", "User-Agent: still two").content == b"still two"
    one.send(b"2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert one.answer().content == b"1-2"
    two.close()
    three.send(b"cde")
    assert three.answer().status == 201
    assert three.get("/files/three").content == b"abcde"
    assert one.get("/user-agent").content == b""


@pytest.mark.parametrize("line", ["Connection: close", "connection: Close", "Connection: keep-alive, close"])
def test_stage_14_connection_close_is_echoed_and_obeyed(connection: ClientConnection, line: str) -> None:
    assert connection.get("/echo/1").content == b"1"
    answer = connection.get("/echo/2", line)
    assert (answer.content, answer.headers["connection"]) == (b"2", "close")
    connection.assert_closed()


def test_stage_14_only_the_connection_that_asks_is_closed(server: ServerProcess) -> None:
    one, two = server.connect(), server.connect()
    assert two.get("/echo/2").content == b"2"
    assert one.get("/", "Connection: close").headers["connection"] == "close"
    one.assert_closed()
    assert two.get("/echo/3").content == b"3"


def test_the_access_log_has_a_line_for_each_request() -> None:
    with ServerProcess() as server:
        with server.connect() as connection:
            connection.get("/echo/abc", "User-Agent: a tester")
            connection.get("/nothing")
        lines = [server.stdout.next() or "" for _ in range(2)]
    assert '"GET /echo/abc HTTP/1.1" 200 3 "-" "a tester"' in lines[0]
    assert lines[0].endswith(" c1#1")
    assert '"GET /nothing HTTP/1.1" 404 ' in lines[1]
    assert lines[1].endswith(" c1#2")


def test_a_name_is_stored_byte_for_byte_whatever_the_locale(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with ServerProcess("--directory", str(tmp_path), extra=ascii_only) as server:
        assert server.get("/files/%E6%97%A5").status == 404
        assert server.connect().post("/files/%E6%97%A5", b"day").status == 201
        assert server.get("/files/%E6%97%A5").content == b"day"
    assert (tmp_path / "日").read_bytes() == b"day"

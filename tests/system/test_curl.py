"""Requests for the endpoints of all stages, sent by curl, a client that is independent of this project."""

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.in_process import Answer, parse_response
from tests.support.process import TIMEOUT, ServerProcess

CURL = shutil.which("curl")

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[ServerProcess]:
    with ServerProcess("--directory", str(directory)) as process:
        yield process


def run_curl(*arguments: str) -> bytes:
    assert CURL is not None
    command = [CURL, "-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=2 * TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(*arguments: str, method: str = "GET") -> Answer:
    octets = run_curl("--include", *arguments)
    answer, length = parse_response(octets, method, closed=True)
    assert answer is not None, octets
    if answer.status == 100:
        answer, more = parse_response(octets[length:], method, closed=True)
        assert answer is not None, octets
        length += more
    assert length == len(octets)
    return answer


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/", 200, b""),
        ("/echo/abc", 200, b"abc"),
        ("/echo/a/b", 200, b"a/b"),
        ("/echo/a%20b", 200, b"a b"),
    ],
)
def test_what_is_there_is_answered(server: ServerProcess, path: str, status: int, content: bytes) -> None:
    answer = curl(server.url + path)
    assert (answer.status, answer.content) == (status, content)


@pytest.mark.parametrize("path", ["/nothing", "/files/absent", "/files/%2e%2e/%2e%2e/etc/passwd"])
def test_what_is_not_there_is_404(server: ServerProcess, path: str) -> None:
    assert curl("--path-as-is", server.url + path).status == 404


def test_the_user_agent_is_told(server: ServerProcess) -> None:
    assert curl("--user-agent", "foobar/1.2.3", f"{server.url}/user-agent").content == b"foobar/1.2.3"
    assert curl(f"{server.url}/user-agent").content.startswith(b"curl/")
    assert curl("--header", "User-Agent:", f"{server.url}/user-agent").content == b""


def test_a_file_is_downloaded(server: ServerProcess, directory: Path) -> None:
    (directory / "down").write_bytes(b"\x00\xff" * 50_000)
    answer = curl(f"{server.url}/files/down")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == b"\x00\xff" * 50_000


def test_a_file_is_uploaded(server: ServerProcess, directory: Path) -> None:
    answer = curl("--data", "12345", f"{server.url}/files/up")
    assert answer.status == 201
    assert (directory / "up").read_bytes() == b"12345"


def test_a_file_is_uploaded_after_the_server_has_said_to_go_on(
    server: ServerProcess, directory: Path
) -> None:
    content = b"0123456789abcdef" * 200_000  # long enough for curl to send Expect
    source = directory / "source"
    source.write_bytes(content)
    octets = run_curl("--include", "--data-binary", f"@{source}", f"{server.url}/files/long")
    assert octets.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")
    assert (directory / "long").read_bytes() == content


def test_a_chunked_file_is_uploaded(server: ServerProcess, directory: Path) -> None:
    source = directory / "source-of-chunks"
    source.write_bytes(b"chunked" * 10_000)
    answer = curl(
        "--header", "Transfer-Encoding: chunked", "--data-binary", f"@{source}", f"{server.url}/files/chunks"
    )
    assert answer.status == 201
    assert (directory / "chunks").read_bytes() == b"chunked" * 10_000


def test_curl_decompresses_what_it_asked_for(server: ServerProcess) -> None:
    assert run_curl("--compressed", f"{server.url}/echo/abc") == b"abc"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("invalid", None),
        ("invalid-1, gzip, invalid-2", "gzip"),
        ("invalid-1, invalid-2", None),
    ],
)
def test_the_content_coding_is_negotiated(server: ServerProcess, accepted: str, coding: str | None) -> None:
    answer = curl("--header", f"Accept-Encoding: {accepted}", f"{server.url}/echo/abc")
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-length"] == str(len(answer.content))
    assert (gzip.decompress(answer.content) if coding else answer.content) == b"abc"


def test_one_connection_serves_several_requests(server: ServerProcess) -> None:
    out = run_curl(
        "--write-out",
        "%{num_connects}\n",
        *(f"{server.url}/echo/{word}-" for word in ("one", "two", "three")),
    )
    assert out == b"one-1\ntwo-0\nthree-0\n"


def test_requests_in_parallel_are_all_answered(server: ServerProcess) -> None:
    out = run_curl("--parallel", "--parallel-max", "20", f"{server.url}/echo/[100-149]-")
    assert sorted(out.split(b"-")) == sorted([b"", *(b"%d" % number for number in range(100, 150))])


def test_connection_close_is_echoed_and_obeyed(server: ServerProcess) -> None:
    answer = curl("--header", "Connection: close", f"{server.url}/")
    assert answer.headers["connection"] == "close"
    close = ("--header", "Connection: close", "--write-out", "%{num_connects}")
    assert run_curl(*close, f"{server.url}/", f"{server.url}/") == b"11"


def test_head_has_no_content(server: ServerProcess) -> None:
    answer = curl("--head", f"{server.url}/echo/abc", method="HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, "3")


def test_http_1_0_is_closed(server: ServerProcess) -> None:
    answer = curl("--http1.0", f"{server.url}/echo/abc")
    assert (answer.content, answer.headers["connection"]) == (b"abc", "close")

"""A response that cannot be sent becomes a 500; a status without content has none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reactor.http11.message import FileSlice, LiveStream, Response
from tests.support.in_process import Harness
from tests.support.requests import CANARY, answering, request


@pytest.mark.parametrize(
    "content",
    ["text", "", bytearray(b"text"), memoryview(b"text")],
    ids=lambda content: type(content).__name__ + str(len(content)),
)
@pytest.mark.parametrize("compress_min_size", [None, 0])
@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("line", ["Accept: */*", "Accept-Encoding: gzip"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_body_that_is_not_bytes_is_a_500(
    content: object, compress_min_size: int | None, status: int, line: str, version: str
) -> None:
    def make() -> Response:
        return Response(status, content, compress_min_size=compress_min_size)  # type: ignore[arg-type]

    with Harness(answering(make)) as server:
        client = server.connect()
        client.send(request("/0", line, "Connection: keep-alive", version=version))
        answer = client.assert_responds(500)
        assert answer.headers["content-type"] == "text/plain"
        assert not client.was_reset
        if not client.closed:
            client.get("/canary")


def in_memory(_: str) -> bytes:
    return b"reset"


def listed(_: str) -> list[bytes]:
    return [b"re", b"set"]


def of_file(path: str) -> FileSlice:
    return FileSlice(open(path, "rb"), 0, 5)


def live(_: str) -> LiveStream:
    stream = LiveStream()
    stream.send(b"reset")
    return stream


@pytest.mark.parametrize("make", [in_memory, listed, of_file, live])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("line", ["Accept: */*", "Accept-Encoding: gzip"])
def test_205_is_sent_without_a_body(
    make: Callable[[str], object], method: str, line: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"reset")
    path = str(tmp_path / "file")
    routes = answering(lambda: Response(205, make(path), compress_min_size=0))  # type: ignore[arg-type]
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/0", line, method=method) + CANARY)
        sent = client.read()
        client.received = sent
        first, second = client.responses(method)
        assert (first.status, first.content) == (205, b"")
        assert first.headers["content-length"] == "0"
        assert "transfer-encoding" not in first.headers
        assert second.content == b"the canary sings"
        assert b"reset" not in sent

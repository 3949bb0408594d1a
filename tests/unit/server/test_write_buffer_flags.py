"""The write buffer passes MSG_MORE to the kernel only if more bytes follow for certain."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactor.http11.message import FileSlice, LiveStream, Response
from reactor.server.write_buffer import FlushResult, WriteBuffer
from tests.unit.http11.written import write

HEAD_ENDS = b"\r\n\r\n"


class RecordingSocket:
    """A socket that accepts all bytes, and records the flags."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, int]] = []

    def send(self, data: Any, flags: int = 0) -> int:
        self.sent.append((bytes(data), flags))
        return len(data)

    def fileno(self) -> int:
        return -1


def sendfile(_out: int, _in: int, _offset: int, count: int) -> int:
    return count


def send(response: Response, version: int = 1) -> list[tuple[bytes, int]]:
    """Send a response as far as it is available; return the bytes and the flags of each call."""
    data, body = write(response, version=version)
    sock, write_buffer = RecordingSocket(), WriteBuffer(sendfile)
    write_buffer.write(data)
    if body is not None:
        write_buffer.add(body)
    for _ in range(10):
        if write_buffer.flush(sock, 1 << 18) in (FlushResult.DONE, FlushResult.STREAM_IDLE):  # type: ignore[arg-type]
            break
    else:
        raise AssertionError("the write buffer did not become empty")
    write_buffer.clear()
    return sock.sent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"data of a file")
    return tmp_path / "file"


def of_file(path: Path, count: int) -> Response:
    return Response(200, FileSlice(open(path, "rb"), 0, count))


def generated() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


def live(*pieces: bytes) -> LiveStream:
    stream = LiveStream()
    for piece in pieces:
        stream.send(piece)
    return stream


@pytest.mark.parametrize("version", [0, 1], ids=["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: b"bytes", id="bytes"),
        pytest.param(lambda: [b"one", b"two"], id="a list"),
        pytest.param(generated, id="a generator"),
        pytest.param(list, id="an empty stream"),
        pytest.param(lambda: live(), id="a live stream with nothing yet"),
        pytest.param(lambda: live(b"news"), id="a live stream"),
    ],
)
def test_streams_are_sent_without_msg_more(make: Any, version: int) -> None:
    sent = send(Response(200, make()), version)
    assert HEAD_ENDS in sent[0][0]
    assert [flags for _, flags in sent] == [0] * len(sent)


def test_the_head_of_an_empty_file_is_sent_without_msg_more(path: Path) -> None:
    [(data, flags)] = send(of_file(path, 0))
    assert b"Content-Length: 0\r\n" in data
    assert flags == 0


@pytest.mark.parametrize("count", [1, 16])
def test_the_head_of_a_file_is_sent_with_msg_more(path: Path, count: int) -> None:
    [(data, flags)] = send(of_file(path, count))
    assert data.endswith(HEAD_ENDS)
    assert flags == socket.MSG_MORE

"""The body of a request: complete before the application is called, in memory or a file, always closed."""

import errno
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest

from reactor.wsgi import request_input
from reactor.wsgi.request_input import IN_MEMORY, RequestInput
from tests.support.in_process import Harness
from tests.support.requests import request
from tests.unit.wsgi.sites import Fixed, exchange, routes_of


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY])
@pytest.mark.parametrize("in_loop", [False, True])
def test_the_application_reads_the_whole_body(size: int, in_loop: bool) -> None:
    app, body = Fixed([b"x"]), b"0123456789abcdef" * (size // 16) + b"z" * (size % 16)
    data = exchange(app, request(method="POST", content=body), in_loop).data
    assert data.startswith(b"HTTP/1.1 200 ")
    assert app.bodies == [body]
    file = app.environ[0]["wsgi.input"]
    assert file.closed
    assert isinstance(file, SpooledTemporaryFile if size else BytesIO)
    assert getattr(file, "_rolled", False) == (size > IN_MEMORY)


def test_an_incomplete_body_does_not_reach_the_application() -> None:
    app = Fixed([b"x"])
    with Harness(routes_of(app)) as server:
        client = server.connect()
        client.send(request(method="POST", content=b"0123456789")[:-1])
        client.assert_open()
        assert not app.environ
        client.send(b"9")
        client.assert_responds()
    assert app.bodies == [b"0123456789"]


def test_a_body_above_max_body_is_refused() -> None:
    app = Fixed([b"x"])
    chunked = request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nabcde\r\n0\r\n\r\n"
    for sent in (request(method="POST", content=b"abcde"), chunked):
        assert exchange(app, sent, max_body=4).data.startswith(b"HTTP/1.1 413 ")
    assert not app.environ


class Full(BytesIO):
    """A file on a full disk."""

    fails_at = "write"

    def write(self, data: Any) -> int:
        self._fail("write")
        return super().write(data)

    def seek(self, *position: int) -> int:
        self._fail("seek")
        return super().seek(*position)

    def close(self) -> None:
        super().close()
        self._fail("close")

    def _fail(self, step: str) -> None:
        if step == self.fails_at or step == "close":
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["write", "seek"])
def test_a_full_disk_is_507(
    step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, file = Fixed([b"x"]), Full()
    file.fails_at = step
    monkeypatch.setattr(request_input, "SpooledTemporaryFile", lambda size: file)
    data = exchange(app, request(method="POST", content=b"abc")).data
    assert data.startswith(b"HTTP/1.1 507 ")
    assert data.endswith(b"cannot store the request body: No space left on device\n")
    assert file.closed
    assert not app.environ
    assert "cannot store a request body in a temporary file: [Errno 28]" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_body_whose_client_leaves_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    files = []

    def make(size: int) -> BytesIO:
        files.append(BytesIO())
        return files[-1]

    monkeypatch.setattr(request_input, "SpooledTemporaryFile", make)
    with Harness(routes_of(Fixed())) as server:
        client = server.connect()
        client.send(request(method="POST", content=b"abc")[:-1])
        client.close()
    assert [file.closed for file in files] == [True]


def test_a_taken_file_is_left_to_the_caller() -> None:
    sink = RequestInput()
    sink.write(memoryview(b"abc"))
    file = sink.finish().take()
    sink.close()
    assert not file.closed
    file.close()

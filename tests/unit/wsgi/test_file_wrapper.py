"""wsgi.file_wrapper: real files are sent as file slices, others block by block; each is closed once."""

import gzip
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from reactor.http11.message import FileSlice
from reactor.wsgi.file_wrapper import FileWrapper, file_slice
from tests.support.in_process import Harness, parse_response
from tests.support.requests import request
from tests.unit.wsgi.sites import TEXT, exchange, routes_of

CONTENT = b"0123456789" * 10_000
in_both = pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])


class Wrapped:
    """An application that sends a file, and counts how often the file is closed."""

    def __init__(self, file: Any, *headers: tuple[str, str]) -> None:
        self.file = file
        self.headers = headers
        self.closed = 0
        close = file.close

        def count() -> None:
            self.closed += 1
            close()

        file.close = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, *self.headers])
        return environ["wsgi.file_wrapper"](self.file, 1000)  # type: ignore[no-any-return]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


class Named:
    """A wrapper of a file, as those of tempfile and Django."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.read = file.read
        self.close = file.close


def buffered_copy(path: Path) -> Any:
    """Return a file whose last bytes are not written yet."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the test
    file.write(path.read_bytes())
    file.seek(0)
    return file


@in_both
@pytest.mark.parametrize(
    ("opened", "is_slice"),
    [
        (lambda path: path.open("rb"), True),
        (lambda path: path.open("rb", buffering=0), True),
        (lambda path: path.open("r+b"), True),
        (buffered_copy, True),
        (lambda path: io.BytesIO(path.read_bytes()), False),
    ],
    ids=["open", "unbuffered", "update", "temporary", "BytesIO"],
)
def test_a_file_is_sent_and_closed_once(
    opened: Callable[[Path], Any], is_slice: bool, path: Path, in_loop: bool
) -> None:
    with opened(path) as file:
        assert isinstance(file_slice(FileWrapper(file), lambda: None), FileSlice) == is_slice
        app = Wrapped(Named(file))
        answer, _ = parse_response(exchange(app, in_loop=in_loop).data, "GET", False)
        assert answer is not None
        assert answer.content == CONTENT
        assert ("content-length" in answer.headers) == is_slice
        assert app.closed == 1
        assert file.closed


def test_the_wrappers_of_wrappers_are_opened(path: Path) -> None:
    with path.open("rb") as file:
        assert file_slice(FileWrapper(Named(Named(Named(file)))), lambda: None) is not None


def test_a_named_temporary_file_is_a_file_slice() -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"content")
        file.seek(0)
        part = file_slice(FileWrapper(file), lambda: None)
        assert part is not None
        assert (part.offset, part.count) == (0, 7)


@in_both
def test_a_file_is_sent_from_its_position_up_to_content_length(path: Path, in_loop: bool) -> None:
    with path.open("rb") as file:
        file.read(5)
        app = Wrapped(Named(file), ("Content-Length", "7"))
        got = exchange(app, in_loop=in_loop)
        assert got.data.endswith(b"Content-Length: 7\r\n\r\n5678901")
        assert app.closed == 1


@in_both
@pytest.mark.parametrize("position", [0, len(CONTENT), len(CONTENT) + 5])
def test_a_file_with_less_than_content_length_is_500(
    path: Path, position: int, in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with path.open("rb") as file:
        file.seek(position)
        app = Wrapped(Named(file), ("Content-Length", "100001"))
        assert exchange(app, in_loop=in_loop).data.startswith(b"HTTP/1.1 500 ")
        assert app.closed == 1
    count = max(0, len(CONTENT) - position)
    assert f"Content-Length is 100001, but the file has {count} bytes" in caplog.text


@in_both
def test_head_closes_the_file(path: Path, in_loop: bool) -> None:
    with path.open("rb") as file:
        app = Wrapped(Named(file), ("Content-Length", "100000"))
        got = exchange(app, request(method="HEAD"), in_loop)
        assert got.data.endswith(b"Content-Length: 100000\r\n\r\n")
        assert app.closed == 1


def test_decompressed_and_text_files_are_not_file_slices(path: Path) -> None:
    with gzip.open(path.with_suffix(".gz"), "wb") as file:
        file.write(CONTENT)
    with gzip.open(path.with_suffix(".gz"), "rb") as compressed, path.open() as text:
        assert file_slice(FileWrapper(compressed), lambda: None) is None
        assert file_slice(FileWrapper(text), lambda: None) is None  # type: ignore[arg-type]
        app = Wrapped(Named(compressed))
        answer, _ = parse_response(exchange(app).data, "GET", False)
    assert answer is not None
    assert answer.content == CONTENT


class UpperFile(io.BufferedReader):
    """A file that changes what it reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


class UpperWrapper:
    """A wrapper that changes what it reads."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.close = file.close

    def read(self, size: int) -> bytes:
        return bytes(self.file.read(size).upper())


@pytest.mark.parametrize("make", [UpperFile, UpperWrapper])
def test_a_file_that_changes_what_it_reads_is_read(make: Callable[[Any], Any], path: Path) -> None:
    path.write_bytes(b"secret")
    with path.open("rb", buffering=0) as file:
        app = Wrapped(make(file))
        answer, _ = parse_response(exchange(app).data, "GET", False)
    assert answer is not None
    assert answer.content == b"SECRET"


def test_a_regular_file_without_a_size_is_read() -> None:
    with Path("/dev/null").open("rb") as device:
        size = os.stat_result((stat.S_IFREG, *[0] * 9))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fstat", lambda descriptor: size)  # as of a file in /proc
            assert file_slice(FileWrapper(device), lambda: None) is None


def test_a_closed_file_and_a_pipe_are_not_file_slices(path: Path) -> None:
    with path.open("rb") as closed:
        pass
    assert file_slice(FileWrapper(closed), lambda: None) is None
    with Path("/dev/null").open("rb") as device:
        assert file_slice(FileWrapper(device), lambda: None) is None


def test_a_file_of_a_client_that_leaves_is_closed(path: Path) -> None:
    with path.open("rb") as file:
        app = Wrapped(Named(file), ("X", "y"))
        with Harness(routes_of(app), turn_send=1000) as server:
            client = server.connect()
            client.sock.send(request())
            while not client.connection.served:
                server.reactor.turn()
            assert app.closed == 0
            client.close()
        assert app.closed == 1


def test_a_file_that_the_application_closes_too_early_ends_the_response(path: Path) -> None:
    with path.open("rb") as file:
        app = Wrapped(Named(file))
        with Harness(routes_of(app), turn_send=1000) as server:
            client = server.connect()
            client.sock.send(request())
            while not client.connection.served:
                server.reactor.turn()
            descriptor = file.fileno()
            file.close()
            with (path.parent / "secret").open("w+b") as other:
                assert other.fileno() == descriptor
                other.write(b"secret" * 20_000)
                other.flush()
                client.read()
            assert client.closed
            assert b"secret" not in client.received


def test_a_wrapper_of_a_file_without_close_has_a_close() -> None:
    class OnlyRead:
        def read(self, size: int) -> bytes:
            return b""

    wrapper = FileWrapper(OnlyRead())
    assert list(wrapper) == []
    wrapper.close()

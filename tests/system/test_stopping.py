"""Signals that stop the server: the first is graceful, the second stops at once; the exit code is 0."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ClientConnection, ServerProcess, head

SIZE = 16 << 20  # more than the socket buffers hold while the client does not read
SIGNALS = [signal.SIGTERM, signal.SIGINT]
# No timeout expires here except for the one after a last response, because most clients of these tests do
# not close.
FOR_EVER = ["--shutdown-timeout", "3600", "--keep-alive-timeout", "3600", "--first-octet-timeout", "3600"]
BRIEF = {"REACTOR_LINGER_TIMEOUT": "0.1"}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(SIZE)  # a sparse file of zeros
    yield tmp_path
    (tmp_path / "large").unlink()


def serve(directory: Path, *options: str) -> ServerProcess:
    return ServerProcess("--directory", str(directory), *(options or FOR_EVER), extra=BRIEF)


def begin_download(server: ServerProcess) -> ClientConnection:
    """Begin a download that cannot end before the client reads it."""
    client = server.connect(receive_buffer=4096)
    client.send_head("GET", "/files/large")
    assert f"Content-Length: {SIZE}".encode() in client.read_head()
    return client


def make_idle(server: ServerProcess) -> ClientConnection:
    client = server.connect()
    assert client.get("/").status == 200
    return client


def stop(server: ServerProcess, idle: ClientConnection, number: signal.Signals = signal.SIGTERM) -> None:
    """Send the first signal; return when the server has acted on it."""
    server.send_signal(number)
    idle.assert_closed()


def read_exactly(client: ClientConnection, size: int) -> bytearray:
    content = bytearray(client.received)
    client.received = b""
    while len(content) < size:
        octets = client.sock.recv(1 << 18)
        assert octets, f"closed after {len(content)} of {size} bytes"
        content += octets
    return content


@pytest.mark.parametrize("number", SIGNALS)
def test_with_nobody_connected_a_signal_ends_the_server(number: signal.Signals) -> None:
    with ServerProcess(*FOR_EVER, extra=BRIEF) as server:
        server.send_signal(number)
        assert server.exit_code() == 0
        assert not [line for line in server.stderr.rest() if "Traceback" in line]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_slow_download_finishes_after_the_first_signal(directory: Path, number: signal.Signals) -> None:
    with serve(directory) as server:
        idle, download = make_idle(server), begin_download(server)
        stop(server, idle, number)
        assert server.process.poll() is None
        content = read_exactly(download, SIZE)
        assert content.count(0) == len(content) == SIZE
        download.assert_closed()
        assert server.exit_code() == 0


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_stops_at_once(
    directory: Path, first: signal.Signals, second: signal.Signals
) -> None:
    with serve(directory) as server:
        idle, download = make_idle(server), begin_download(server)
        stop(server, idle, first)
        server.send_signal(second)
        assert server.exit_code() == 0
        assert len(download.read_to_end()) < SIZE


def test_a_second_signal_in_the_middle_of_an_upload_leaves_nothing(directory: Path) -> None:
    with serve(directory) as server:
        idle, upload = make_idle(server), server.connect()
        upload.send_head("POST", "/files/new", "Content-Length: 10", "Expect: 100-continue")
        assert upload.answer().status == 100
        stop(server, idle)
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
    assert [path.name for path in directory.iterdir()] == ["large"]


def test_idle_connections_and_silent_ones_are_closed_at_the_first_signal(directory: Path) -> None:
    with serve(directory) as server:
        idle = [make_idle(server) for _ in range(3)]
        silent = [server.connect() for _ in range(3)]
        make_idle(server)  # accepted after the silent ones, so these are accepted, too
        download = begin_download(server)
        server.send_signal(signal.SIGTERM)
        for client in idle + silent:
            client.assert_closed()
        read_exactly(download, SIZE)
        assert server.exit_code() == 0


def test_nobody_new_is_accepted_after_the_first_signal(directory: Path) -> None:
    with serve(directory) as server:
        idle, download = make_idle(server), begin_download(server)
        stop(server, idle)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        read_exactly(download, SIZE)
        assert server.exit_code() == 0


def test_an_upload_finishes_after_the_first_signal(directory: Path) -> None:
    with serve(directory) as server:
        idle, upload = make_idle(server), server.connect()
        upload.send_head("POST", "/files/new", "Content-Length: 6", "Expect: 100-continue")
        assert upload.answer().status == 100
        upload.send(b"abc")
        stop(server, idle)
        upload.send(b"def")
        answer = upload.answer()
        assert (answer.status, answer.headers["connection"]) == (201, "close")
        upload.assert_closed()
        assert server.exit_code() == 0
    assert (directory / "new").read_bytes() == b"abcdef"


def test_a_request_that_has_begun_is_answered_after_the_first_signal(directory: Path) -> None:
    with serve(directory) as server:
        idle, half = make_idle(server), server.connect()
        # The first request is answered in the turn that reads the beginning of the second.
        half.send(head("GET", "/echo/first") + b"GET /echo/second HTTP/1.1\r\n")
        assert half.answer().content == b"first"
        stop(server, idle)
        half.send(b"Host: localhost\r\n\r\n")
        answer = half.answer()
        assert (answer.content, answer.headers["connection"]) == (b"second", "close")
        half.assert_closed()
        assert server.exit_code() == 0


@pytest.mark.parametrize("seconds", ["0", "0.1"])
def test_a_download_that_nobody_reads_is_cut_off_when_the_grace_ends(directory: Path, seconds: str) -> None:
    with serve(directory, "--shutdown-timeout", seconds) as server:
        download = begin_download(server)
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert len(download.read_to_end()) < SIZE


def test_every_line_of_the_access_log_is_written_before_the_end(directory: Path) -> None:
    with serve(directory) as server:
        for _ in range(5):
            make_idle(server)
        begin_download(server)
        for _ in range(2):
            server.send_signal(signal.SIGTERM)
            server.stderr.next()
        assert server.exit_code() == 0
        lines = server.stdout.rest()
    assert [line.split('"')[2].split()[0] for line in lines] == ["200"] * 5 + ["500"]


def test_a_reader_of_the_log_that_goes_away_does_not_spoil_the_exit_code() -> None:
    reading_end, writing_end = os.pipe()
    try:
        with ServerProcess(*FOR_EVER, extra=BRIEF, stdout=writing_end) as server:
            os.close(reading_end)
            for _ in range(3):
                assert server.get("/").status == 200
            server.send_signal(signal.SIGTERM)
            assert server.exit_code() == 0
    finally:
        os.close(writing_end)

"""Many concurrent uploads, each cut at a random point: no file is wrong or partial."""

import random
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.support.process import TIMEOUT, ServerProcess

UPLOADS = 100
SIZE = 200_000
NAMES = 10


def content_of(number: int) -> bytes:
    """Return the body of upload ``number``: each line contains the number."""
    return (b"%08d\n" % number) * (SIZE // 9)


def head_of(number: int, length: int, chunked: bool) -> bytes:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    return f"PUT /files/name{number % NAMES} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode()


def send_a_part(port: int, number: int, share: float) -> None:
    """Send a share of an upload, and disconnect; if ``share`` is 1, send all and wait for the response."""
    content = content_of(number)
    chunked = number % 3 == 0
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if chunked else content
    octets = head_of(number, len(content), chunked) + body
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as sock:
        sock.sendall(octets[: int(len(octets) * share)])
        if share == 1:
            assert sock.recv(1000).startswith(b"HTTP/1.1 20")


@pytest.mark.parametrize("whole", [0, 10])
def test_uploads_that_are_cut_leave_no_wrong_and_no_partial_file(tmp_path: Path, whole: int) -> None:
    chance = random.Random(whole)
    shares = [1.0] * whole + [chance.random() * 0.999 for _ in range(UPLOADS - whole)]
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        threads = [
            threading.Thread(target=send_a_part, args=(server.port, number, share))
            for number, share in enumerate(shares)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        server.send_signal(signal.SIGINT)
        assert server.exit_code() == 0
    wholes = {f"name{number % NAMES}": content_of(number) for number in range(whole)}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == wholes

"""Transfers of large files: memory use stays constant, and other requests are answered at the same time."""

import hashlib
import os
import selectors
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.in_process import parse_response
from tests.support.process import TIMEOUT, ClientConnection, ServerProcess, head

MIB = 1 << 20
GROWTH = 16 * MIB  # bytes by which the server's resident memory may grow
NOISE = os.urandom(MIB)
SIZES = [
    pytest.param(64 * MIB, id="64 MiB"),
    pytest.param(512 * MIB, id="512 MiB", marks=pytest.mark.slow),
]


def block(number: int) -> bytes:
    """Return one MiB that differs from every other block."""
    return number.to_bytes(8, "big") + NOISE[8:]


class Transfer:
    """A large transfer on one connection, and a sequence of small requests on another.

    ``step`` transfers some bytes of the large one, and returns how many. Neither waits for the other:
    each small request is in transit during the large transfer.
    """

    def __init__(self, server: ServerProcess, large: ClientConnection, size: int) -> None:
        self.memory = psutil.Process(server.pid).memory_info
        self.small = server.connect()
        assert self.small.get("/").status == 200
        self.began_with = self.most = self.memory().rss
        self.large = large
        self.size = size
        self.done = 0
        self.answered_at: list[int] = []  # the progress of the large transfer at each small response

    def run(self, events: int, step: Callable[[socket.socket, int], int]) -> None:
        self.large.sock.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.large.sock, events)
            selector.register(self.small.sock, selectors.EVENT_READ)
            self.small.send(head("GET", "/echo/small"))
            while self.done < self.size:
                ready = selector.select(TIMEOUT)
                assert ready, f"the transfer stalls at {self.done} of {self.size} bytes"
                for key, _ in ready:
                    if key.fileobj is self.large.sock:
                        self.done += step(self.large.sock, self.done)
                    else:
                        self._read_small()
        self.large.sock.settimeout(TIMEOUT)
        self.most = max(self.most, self.memory().rss)

    def _read_small(self) -> None:
        self.small.received += self.small.sock.recv(4096)
        answer, length = parse_response(self.small.received, "GET", closed=False)
        if answer is None:
            return
        assert answer.content == b"small"
        self.small.received = self.small.received[length:]
        self.answered_at.append(self.done)
        self.most = max(self.most, self.memory().rss)
        self.small.send(head("GET", "/echo/small"))

    def assert_memory_stayed_flat(self) -> None:
        assert self.most - self.began_with <= GROWTH

    def assert_others_were_answered_meanwhile(self) -> None:
        places = {done for done in self.answered_at if 0 < done < self.size}
        assert len(places) >= 10, f"small requests were answered at {sorted(places)} of {self.size} bytes"


class Uploading:
    """Sends the blocks."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.rest = memoryview(b"")

    def __call__(self, sock: socket.socket, done: int) -> int:
        if not self.rest:
            octets = block(done // MIB)
            self.hash.update(octets)
            self.rest = memoryview(octets)
        sent = sock.send(self.rest)
        self.rest = self.rest[sent:]
        return sent


class Downloading:
    """Reads whatever comes."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def __call__(self, sock: socket.socket, done: int) -> int:
        octets = sock.recv(256 * 1024)
        assert octets, f"closed after {done} bytes"
        self.hash.update(octets)
        return len(octets)


@pytest.mark.parametrize("size", SIZES)
def test_an_upload_keeps_memory_flat_and_others_are_answered_meanwhile(tmp_path: Path, size: int) -> None:
    uploading = Uploading()
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        client = server.connect()
        transfer = Transfer(server, client, size)
        client.send_head("POST", "/files/large", f"Content-Length: {size}")
        transfer.run(selectors.EVENT_WRITE, uploading)
        assert client.answer().status == 201
    stored = tmp_path / "large"
    with stored.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    assert stored.stat().st_size == size
    stored.unlink()
    assert digest.hexdigest() == uploading.hash.hexdigest()
    transfer.assert_memory_stayed_flat()
    transfer.assert_others_were_answered_meanwhile()


@pytest.mark.parametrize("size", SIZES)
def test_a_download_keeps_memory_flat_and_others_are_answered_meanwhile(tmp_path: Path, size: int) -> None:
    stored = tmp_path / "large"
    expected = hashlib.sha256()
    with stored.open("wb") as file:
        for number in range(size // MIB):
            file.write(block(number))
            expected.update(block(number))
    downloading = Downloading()
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        client = server.connect()
        transfer = Transfer(server, client, size)
        client.send_head("GET", "/files/large")
        assert f"Content-Length: {size}".encode() in client.read_head().split(b"\r\n")
        downloading.hash.update(client.received)
        transfer.done, client.received = len(client.received), b""
        transfer.run(selectors.EVENT_READ, downloading)
        assert client.get("/echo/next").content == b"next"  # not one byte too many was received
    stored.unlink()
    assert downloading.hash.hexdigest() == expected.hexdigest()
    transfer.assert_memory_stayed_flat()
    transfer.assert_others_were_answered_meanwhile()


def test_a_chunked_upload_keeps_memory_flat(tmp_path: Path) -> None:
    size = 32 * MIB
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        client = server.connect()
        memory = psutil.Process(server.pid).memory_info
        assert client.get("/").status == 200
        began_with = most = memory().rss
        client.send_head("POST", "/files/chunks", "Transfer-Encoding: chunked")
        for _ in range(size // 0x10000):
            client.send(chunk)
            most = max(most, memory().rss)
        client.send(b"0\r\n\r\n")
        assert client.answer().status == 201
        most = max(most, memory().rss)
    assert (tmp_path / "chunks").stat().st_size == size
    (tmp_path / "chunks").unlink()
    assert most - began_with <= GROWTH


def test_downloads_that_nobody_reads_keep_memory_flat(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 * MIB)
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        memory = psutil.Process(server.pid).memory_info
        assert server.get("/").status == 200
        began_with = memory().rss
        clients = [server.connect(receive_buffer=4096) for _ in range(50)]
        for client in clients:
            client.send_head("GET", "/files/large")
        for client in clients:
            assert b" 200 " in client.read_head()
        assert server.get("/echo/still").content == b"still"
        assert memory().rss - began_with <= GROWTH

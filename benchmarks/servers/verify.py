"""Verify the responses of a server to the requests of a workload, byte by byte.

The requests are those of the measurement. For uploads the stored files are compared, including those of the
load generator.
"""

import gzip
import itertools
import socket
import zlib
from pathlib import Path
from urllib.parse import unquote

from benchmarks.load.responses import END, Head, ResponseError, read_body, read_head
from benchmarks.servers.peers import CLOSING, FILES, UPLOADS
from benchmarks.servers.process import RunningServer
from benchmarks.servers.workloads import HOT, LARGE, Workload, fresh_numbers, numbered

TIMEOUT = 10.0  # seconds, for one response
MAX_REQUESTS = 4  # requests or pipelined batches; only one for a large file
PIECE = 1 << 18
FAULTS = (OSError, ResponseError, zlib.error, EOFError)


class VerificationError(Exception):
    """A wrong response; the message says what is wrong, in one line."""


class Connection(socket.socket):
    """A connection that reads whole responses."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__()
        self.settimeout(TIMEOUT)
        self.connect(address)
        self._data = bytearray()

    def response(self) -> tuple[Head, bytes]:
        """Return head and body of the next response; raise VerificationError or ResponseError."""
        while (end := self._data.find(END) + len(END)) < len(END):
            self._receive()
        head = read_head(bytes(self._data[:end]))
        while (found := read_body(head, self._data, end)) is None:
            self._receive()
        body, end = found
        del self._data[:end]
        return head, body

    def has_more(self) -> bool:
        """Return whether the server sends anything else before it closes the connection."""
        return bool(self._data or self.recv(1))

    def _receive(self) -> None:
        data = self.recv(PIECE)
        if not data:
            raise VerificationError("connection closed before the end of the response")
        self._data += data


def verify(server: RunningServer, workload: Workload) -> int:
    """Return the number of compared responses; raise VerificationError for a wrong one."""
    try:
        return _verify(server, workload.at(server.adapter.target))
    except TimeoutError:
        raise VerificationError(f"no response within {TIMEOUT:g} seconds") from None
    except FAULTS as error:
        raise VerificationError(f"{type(error).__name__}: {error}".removeprefix("ResponseError: ")) from None


def first_body(server: RunningServer) -> bytes:
    """Return the body of a server's response; raise VerificationError unless the status is 2xx."""
    url = f"{server.url}{server.adapter.target}"
    try:
        with Connection(server.address) as connection:
            connection.sendall(next(HOT.at(server.adapter.target).requests(f"{server.host}:{server.port}")))
            head, body = connection.response()
    except FAULTS as error:
        raise VerificationError(f"{url}: {error}") from None
    if not head.right:
        raise VerificationError(f"{url}: status {head.status} (expected 2xx)")
    return body


def _verify(server: RunningServer, workload: Workload) -> int:
    count = 0
    if workload.needs == UPLOADS:  # those of the load generator
        for path in (_stored(server, target) for target in workload.targets):
            if path.exists():
                _compare(path.read_bytes(), workload.content)
                count += 1
    templates = list(workload.requests(f"{server.host}:{server.port}"))
    requests = 1 if workload.size >= LARGE else MAX_REQUESTS
    step = max(1, len(templates) // requests)
    chosen = itertools.islice(itertools.cycle(templates[::step]), requests)
    connection = None
    try:
        for number, template in enumerate(chosen, fresh_numbers()):
            batch = numbered(template, number)
            target = unquote(batch.split(b" ", 2)[1].decode())
            if workload.needs == UPLOADS:
                _stored(server, target).unlink(missing_ok=True)
            connection = connection or Connection(server.address)
            connection.sendall(batch)
            for _ in range(workload.depth):
                head, body = connection.response()
                _check(head, body, server, workload, target)
                count += 1
            if head.closes:
                if connection.has_more():
                    raise VerificationError("unexpected data after the response")
                connection.close()
                connection = None
    finally:
        if connection is not None:
            connection.close()
    return count


def _check(head: Head, body: bytes, server: RunningServer, workload: Workload, target: str) -> None:
    if not head.right:
        raise VerificationError(f"status {head.status} (expected 2xx)")
    if workload.needs == CLOSING and not head.closes:
        raise VerificationError("missing Connection: close")
    if head.coding != workload.coding:
        raise VerificationError(f"wrong content coding: {head.coding or 'identity'!r}")
    if workload.needs == UPLOADS:
        if not _stored(server, target).exists():
            raise VerificationError("uploaded file not stored")
        body, expected = _stored(server, target).read_bytes(), workload.content
    elif workload.needs == FILES:
        expected = workload.content
    elif server.adapter.content is not None:
        expected = server.adapter.content
    else:
        expected = target.removeprefix("/echo/").encode()
    _compare(gzip.decompress(body) if head.coding else body, expected)


def _stored(server: RunningServer, target: str) -> Path:
    return server.directory / Path(target).name


def _compare(content: bytes, expected: bytes) -> None:
    if len(content) != len(expected):
        raise VerificationError(f"wrong body length: {len(content):,} bytes (expected {len(expected):,})")
    if content != expected:
        where = next(i for i, (a, b) in enumerate(zip(content, expected, strict=True)) if a != b)
        raise VerificationError(f"wrong body at byte {where:,}")

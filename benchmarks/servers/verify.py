"""Verify the responses of a server to the requests of a workload, byte by byte.

The requests are those of the measurement. For uploads the stored files are compared and removed, including
those of the load generator.
"""

import gzip
import itertools
import socket
import zlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from benchmarks.load.responses import Head, ResponseError, ResponseReader
from benchmarks.servers.peers import CLOSING, FILES, GZIP, UPLOADS
from benchmarks.servers.process import RunningServer
from benchmarks.servers.workloads import HOT, LARGE, Workload, fresh_numbers, numbered

TIMEOUT = 10.0  # seconds, for one response
MAX_REQUESTS = 4  # requests or pipelined batches; only one for a large file
MAX_FILES = 16  # compared; of the load generator the first ones, which are complete


class VerificationError(Exception):
    """A wrong response; the message says what is wrong, in one line."""


def verify(server: RunningServer, workload: Workload) -> int:
    """Return the number of compared responses; raise VerificationError for a wrong one."""
    workload, count = workload.at(server.adapter.target), 0
    templates = itertools.cycle(workload.requests(f"{server.host}:{server.port}"))
    numbers = itertools.count(fresh_numbers())
    for _ in range(1 if workload.size >= LARGE else MAX_REQUESTS):
        batch = [numbered(next(templates), next(numbers)) for _ in range(workload.depth)]
        targets = [unquote(each.split(b" ", 2)[1].decode()) for each in batch]
        if workload.needs == UPLOADS:
            _stored(server, targets[0]).unlink(missing_ok=True)
        with closing(_responses(server, b"".join(batch), workload.depth)) as responses:
            for target, (head, body) in zip(targets, responses, strict=True):
                _check(head, body, server, workload, target)
                count += 1
    if workload.needs == UPLOADS:
        for index, path in enumerate(sorted(server.directory.glob("upload-*"))):
            if index < MAX_FILES:
                _compare(path.read_bytes(), workload.content)
                count += 1
            path.unlink()
    return count


def first_body(server: RunningServer) -> bytes:
    """Return the body of a server's response, of any status; raise VerificationError."""
    request = next(HOT.at(server.adapter.target).requests(f"{server.host}:{server.port}"))
    return next(_responses(server, request))[1]


def _responses(
    server: RunningServer, requests: bytes, count: int = 1
) -> Generator[tuple[Head, bytes], None, None]:
    """Send requests on a new connection; yield head and decompressed body of each response."""
    reader = ResponseReader()
    try:
        with socket.create_connection(server.address, TIMEOUT) as sock, sock.makefile("rb") as file:
            sock.sendall(requests)
            for _ in range(count):
                while (body := reader.next_body()) is None:
                    data = file.read(reader.missing) if reader.missing else file.read1()
                    if not data:
                        raise VerificationError("connection closed before the end of the response")
                    reader.feed(data)
                yield reader.head, gzip.decompress(body) if reader.head.coding == GZIP else body
            if reader.has_data or (reader.head.closes and file.read(1)):
                raise VerificationError("unexpected data after the response")
    except TimeoutError:
        raise VerificationError(f"no response within {TIMEOUT:g} seconds") from None
    except (OSError, ResponseError, zlib.error, EOFError) as error:
        raise VerificationError(f"{type(error).__name__}: {error}".removeprefix("ResponseError: ")) from None


def _check(head: Head, body: bytes, server: RunningServer, workload: Workload, target: str) -> None:
    if not head.right:
        raise VerificationError(f"status {head.status} (expected 2xx)")
    if workload.needs == CLOSING and not head.closes:
        raise VerificationError("missing Connection: close")
    if head.coding != (GZIP if workload.needs == GZIP else ""):
        raise VerificationError(f"wrong content coding: {head.coding or 'identity'!r}")
    expected = target.removeprefix("/echo/").encode()
    if workload.needs == UPLOADS:
        stored = _stored(server, target)
        if not stored.exists():
            raise VerificationError("uploaded file not stored")
        body, expected = stored.read_bytes(), workload.content
        stored.unlink()
    elif workload.needs == FILES:
        expected = workload.content
    elif server.adapter.content is not None:
        expected = server.adapter.content
    _compare(body, expected)


def _stored(server: RunningServer, target: str) -> Path:
    return server.directory / Path(target).name


def _compare(content: bytes, expected: bytes) -> None:
    if len(content) != len(expected):
        raise VerificationError(f"wrong body length: {len(content):,} bytes (expected {len(expected):,})")
    if content != expected:
        where = next(i for i, (a, b) in enumerate(zip(content, expected, strict=True)) if a != b)
        raise VerificationError(f"wrong body at byte {where:,}")

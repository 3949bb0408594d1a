"""Verify the responses of a server to the requests of a workload, byte by byte.

The requests are those of the measurement, on one connection unless the workload closes it. The standard
library's http.client parses the responses. For uploads the stored files are compared, including those of the
load generator.
"""

import gzip
import http.client
import io
import itertools
import re
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from benchmarks.servers.peers import CLOSING, FILES, UPLOADS, Adapter
from benchmarks.servers.process import RunningServer
from benchmarks.servers.workloads import LARGE, Workload, fresh_numbers, numbered

TIMEOUT = 10.0  # seconds, for one response
MAX_REQUESTS = 4  # requests or pipelined batches; only one for a large file
TARGET = re.compile(rb"\S+ (\S+) ")


class VerificationError(Exception):
    """A wrong response; the message says what is wrong, in one line."""


class _Stream(io.BufferedReader):
    """A socket's input, shared by consecutive http.client.HTTPResponse objects."""

    def makefile(self, mode: str) -> "io.BufferedReader":
        """Return this stream, as a response's file."""
        return self

    def close(self) -> None:
        """Stay open at the end of a response."""


def verify(server: RunningServer, adapter: Adapter, workload: Workload) -> int:
    """Return the number of compared responses; raise VerificationError for a wrong one."""
    count = _verify_uploaded(server.directory, workload) if workload.needs == UPLOADS else 0
    try:
        for sent in _batches(workload, f"{server.host}:{server.port}"):
            count += _verify_batches(server, adapter, workload, sent)
    except TimeoutError:
        raise VerificationError(f"no response within {TIMEOUT:g} seconds") from None
    except (OSError, http.client.HTTPException, zlib.error, EOFError) as error:
        raise VerificationError(f"{type(error).__name__} {error}".strip()) from None
    return count


def _batches(workload: Workload, host: str) -> Iterator[list[bytes]]:
    """Yield the batches of requests for each connection."""
    templates = list(workload.requests(host))
    count = 1 if workload.size >= LARGE else MAX_REQUESTS
    chosen = itertools.cycle(templates[:: max(1, len(templates) // count)])
    numbers = itertools.count(fresh_numbers())
    batches = [numbered(template, next(numbers)) for template in itertools.islice(chosen, count)]
    if workload.needs == CLOSING:
        yield from ([batch] for batch in batches)
    else:
        yield batches


def _verify_batches(server: RunningServer, adapter: Adapter, workload: Workload, batches: list[bytes]) -> int:
    with (
        socket.create_connection(server.address, TIMEOUT) as connection,
        connection.makefile("rb", buffering=0) as raw,
    ):
        stream = _Stream(raw)
        for batch in batches:
            match = TARGET.match(batch)
            assert match is not None
            target = unquote(match[1].decode())
            if workload.needs == UPLOADS:
                (server.directory / Path(target).name).unlink(missing_ok=True)
            connection.sendall(batch)
            for _ in range(workload.depth):
                _verify_answer(stream, server, adapter, workload, target)
        if workload.needs == CLOSING and stream.read(1):
            raise VerificationError("unexpected data after the response")
    return len(batches) * workload.depth


def _verify_answer(
    stream: _Stream, server: RunningServer, adapter: Adapter, workload: Workload, target: str
) -> None:
    response = http.client.HTTPResponse(stream, method=workload.method)  # type: ignore[arg-type]
    response.begin()
    content = response.read()
    if not 200 <= response.status < 300:
        raise VerificationError(f"unexpected status: {response.status}")
    if workload.needs == CLOSING and not response.will_close:
        raise VerificationError("missing Connection: close")
    coding = response.headers.get("Content-Encoding", "")
    if coding != workload.coding:
        raise VerificationError(f"wrong content coding: {coding or 'identity'!r}")
    if workload.needs == UPLOADS:
        _compare(_stored(server.directory / Path(target).name), workload.content)
    else:
        _compare(gzip.decompress(content) if coding else content, _expected(adapter, workload, target))


def _expected(adapter: Adapter, workload: Workload, target: str) -> bytes:
    if workload.needs == FILES:
        return workload.content
    return b"abc" if adapter.constant else target.removeprefix("/echo/").encode()


def _verify_uploaded(directory: Path, workload: Workload) -> int:
    """Compare the files that the load generator has uploaded."""
    paths = [directory / Path(target).name for target in workload.targets]
    there = [path for path in paths if path.exists()]
    for path in there:
        _compare(path.read_bytes(), workload.content)
    return len(there)


def _stored(path: Path) -> bytes:
    if not path.exists():
        raise VerificationError("uploaded file not stored")
    return path.read_bytes()


def _compare(content: bytes, expected: bytes) -> None:
    if content == expected:
        return
    if len(content) != len(expected):
        raise VerificationError(f"wrong body length: {len(content):,} bytes (expected {len(expected):,})")
    where = next(i for i, (a, b) in enumerate(zip(content, expected, strict=True)) if a != b)
    raise VerificationError(f"wrong body at byte {where:,}")

"""Are the answers right? What the load generator sends is sent here, too, and each octet is compared.

The same requests go out as in a measurement, on one connection as long as the workload keeps it; the
answers are read by the standard library's http.client. Of an upload, what counts is the file that
is on the disk afterwards; those, too, that the load generator has left there.
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

TIMEOUT = 10.0  # seconds, for one answer
MAX_REQUESTS = 4  # requests (or batches of them); one alone for a large file
TARGET = re.compile(rb"\S+ (\S+) ")


class VerificationError(Exception):
    """An answer was not the right one; the text is one line and says in which way."""


class _Stream(io.BufferedReader):
    """What comes out of a socket, for one http.client.HTTPResponse after the other."""

    def makefile(self, mode: str) -> "io.BufferedReader":
        """Be the file that a response asks its socket for."""
        return self

    def close(self) -> None:
        """Stay open, when a response has come to its end."""


def verify(server: RunningServer, adapter: Adapter, workload: Workload) -> int:
    """Return how many answers were compared; raise VerificationError at the first that is not right."""
    count = _verify_uploaded(server.directory, workload) if workload.needs == UPLOADS else 0
    try:
        for sent in _batches(workload, f"{server.host}:{server.port}"):
            count += _verify_batches(server, adapter, workload, sent)
    except TimeoutError:
        raise VerificationError(f"no answer within {TIMEOUT:g} seconds") from None
    except (OSError, http.client.HTTPException, zlib.error, EOFError) as error:
        raise VerificationError(f"{type(error).__name__} {error}".strip()) from None
    return count


def _batches(workload: Workload, host: str) -> Iterator[list[bytes]]:
    """Yield what is sent on each connection."""
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
        connection.makefile("rb", buffering=0) as octets,
    ):
        stream = _Stream(octets)
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
            raise VerificationError("something came behind the answer")
    return len(batches) * workload.depth


def _verify_answer(
    stream: _Stream, server: RunningServer, adapter: Adapter, workload: Workload, target: str
) -> None:
    response = http.client.HTTPResponse(stream, method=workload.method)  # type: ignore[arg-type]
    response.begin()
    content = response.read()
    if not 200 <= response.status < 300:
        raise VerificationError(f"answered {response.status}")
    if workload.needs == CLOSING and not response.will_close:
        raise VerificationError("did not say that it closes the connection")
    coding = response.headers.get("Content-Encoding", "")
    if coding != workload.coding:
        raise VerificationError(f"answered with the content coding {coding or 'identity'!r}")
    if workload.needs == UPLOADS:
        _compare(_stored(server.directory / Path(target).name), workload.content)
    else:
        _compare(gzip.decompress(content) if coding else content, _expected(adapter, workload, target))


def _expected(adapter: Adapter, workload: Workload, target: str) -> bytes:
    if workload.needs == FILES:
        return workload.content
    return b"abc" if adapter.constant else target.removeprefix("/echo/").encode()


def _verify_uploaded(directory: Path, workload: Workload) -> int:
    """Compare what the load generator has uploaded."""
    paths = [directory / Path(target).name for target in workload.targets]
    there = [path for path in paths if path.exists()]
    for path in there:
        _compare(path.read_bytes(), workload.content)
    return len(there)


def _stored(path: Path) -> bytes:
    if not path.exists():
        raise VerificationError("stored nothing")
    return path.read_bytes()


def _compare(content: bytes, expected: bytes) -> None:
    if content == expected:
        return
    if len(content) != len(expected):
        raise VerificationError(f"{len(content):,} octets of content instead of {len(expected):,}")
    where = next(i for i, (a, b) in enumerate(zip(content, expected, strict=True)) if a != b)
    raise VerificationError(f"wrong content from octet {where:,} on")

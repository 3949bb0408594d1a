"""Counts the calls that one function call leads to: how long a path is, and through how many files it goes.

    calls     Python functions entered, and generators resumed
    c_calls   functions entered that are written in C
    files     distinct source files of those Python functions
    moves     calls and returns that lead from one of those files to another
    depth     the largest number of those functions that are active at once

Functions of this file and of the harness are not counted. To print the figures of a few requests:

    python3 -m tests.support.calls
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

from reactor import handlers
from reactor.handlers.files.store import Store
from reactor.routing import Router
from tests.support import in_process
from tests.support.in_process import Client, Harness

NOT_COUNTED = frozenset({__file__, in_process.__file__})
# A comprehension has a code object of its own, before Python 3.12, and is part of its function all the same.
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")

FAR_FUTURE = 4_000_000_000.0  # seconds since the epoch


class Calls(NamedTuple):
    """The figures of the table above, and the code objects of the functions, in the order of their calls."""

    codes: list[CodeType]
    c_calls: int
    moves: int
    depth: int

    @property
    def calls(self) -> int:
        """How many Python functions were entered."""
        return len(self.codes)

    @property
    def files(self) -> int:
        """How many source files they are from."""
        return len({code.co_filename for code in self.codes})

    @property
    def closures(self) -> list[str]:
        """The qualified names of the lambdas, and of the functions that were defined in another function.

        Generated code does not count: the constructor of a NamedTuple is a lambda.
        """
        return [
            code.co_qualname
            for code in self.codes
            if is_closure(code) and not code.co_filename.startswith("<")
        ]


def is_closure(code: CodeType) -> bool:
    """Return whether a code object is that of a lambda, or of a function defined in another function."""
    parts = code.co_qualname.split(".")
    while parts and parts[-1] in COMPREHENSIONS:
        del parts[-2:]  # with the "<locals>" before it
    return "<lambda>" in parts or "<locals>" in parts


class _Counter:
    """A profile function for ``sys.setprofile``."""

    def __init__(self) -> None:
        self.codes: list[CodeType] = []
        self.c_calls = self.moves = self.depth = 0
        self._active: list[str] = []  # the files of the functions that are active

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Count one event."""
        file = frame.f_code.co_filename
        if file in NOT_COUNTED:
            return
        if event == "call":
            self.moves += bool(self._active) and self._active[-1] != file
            self._active.append(file)
            self.depth = max(self.depth, len(self._active))
            self.codes.append(frame.f_code)
        elif event == "return":
            del self._active[-1]
            self.moves += bool(self._active) and self._active[-1] != file
        elif event == "c_call":
            self.c_calls += 1


def count_calls(function: Callable[[], object]) -> Calls:
    """Call a function and count what it leads to, itself included."""
    counter = _Counter()
    before = sys.getprofile()
    sys.setprofile(counter)
    try:
        function()
    finally:
        sys.setprofile(before)
    return Calls(counter.codes, counter.c_calls, counter.moves, counter.depth)


# Requests: each is sent whole, so that its response is sent before the connection's hook returns.


def count_exchange(client: Client, request: bytes) -> Calls:
    """Send one request and count the calls from its first byte to the end of its response."""
    client.sock.sendall(request)
    calls = count_calls(client.connection.on_readable)
    assert client.connection.is_between_requests, "the response is sent"
    client.responses()
    return calls


@contextmanager
def file_server(routes: Callable[[Store], Router] = handlers.build) -> Iterator[Client]:
    """Serve a directory with the file "f", old enough to be cached; return a connection to the server."""
    with tempfile.TemporaryDirectory() as path:
        (Path(path) / "f").write_bytes(b"a" * 1000)
        with (
            closing(Store(path, wall_clock=lambda: FAR_FUTURE)) as store,
            Harness(routes(store)) as server,
        ):
            yield server.connect()


def get(path: str) -> bytes:
    """Return a GET request."""
    return b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % path.encode()


def post(name: str, *lines: str, method: str = "POST") -> bytes:
    """Return a POST request with a body of five bytes."""
    fields = "".join(f"{line}\r\n" for line in ("Host: test", "Content-Length: 5", *lines))
    return f"{method} /files/{name} HTTP/1.1\r\n{fields}\r\nhello".encode()


# Name: the requests on one connection of a new server; the last one is counted.
EXCHANGES = {
    "GET /echo/abc, first": [get("/echo/abc")],
    "GET /echo/abc, third": [get("/echo/abc")] * 3,
    "GET /echo/abc, after others": [get("/echo/1"), get("/echo/2"), get("/echo/abc")],
    "GET /files/f, first": [get("/files/f")],
    "GET /files/f, third": [get("/files/f")] * 3,
    "POST /files/up, first": [post("up")],
    "POST /files/up, after a GET": [get("/echo/abc"), post("up")],
    "POST /files/up, after others": [post("1"), post("2"), post("up")],
    "POST /files/up, sixth": [post("up")] * 6,
}


def count_last(requests: list[bytes], routes: Callable[[Store], Router] = handlers.build) -> Calls:
    """Count the calls of the last of these requests, on one connection of a new server."""
    with file_server(routes) as client:
        return [count_exchange(client, request) for request in requests][-1]


def main() -> None:
    """Print the table."""
    print(f"{'':32}{'calls':>8}{'C calls':>9}{'files':>7}{'moves':>7}{'depth':>7}")
    for name, requests in EXCHANGES.items():
        calls = count_last(requests)
        print(f"{name:32}{calls.calls:8}{calls.c_calls:9}{calls.files:7}{calls.moves:7}{calls.depth:7}")


if __name__ == "__main__":
    main()

"""Run the command line and describe the server as JSON: ``python -m tests.unit.inspector.served OPTIONS``.

The result contains all routes, the settings, and the responses to a fixed list of requests. With
``--send-sigusr1`` as the first argument, the process receives SIGUSR1 before the requests.
"""

import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from reactor.cli import main as command_line
from reactor.routing import Router, _Node
from reactor.server import server
from reactor.server.server import Server

AUTHORIZED = "Authorization: Basic dXNlcjpwYXNzd29yZA=="  # user:password

# Each list is sent at once on a connection of its own, which is then half-closed.
REQUESTS = [
    ["GET / HTTP/1.1", "Host: localhost", ""],
    ["GET /echo/a%20b HTTP/1.1", "Host: localhost", "Accept-Encoding: gzip", ""],
    ["HEAD /echo/abc HTTP/1.1", "Host: localhost", ""],
    ["GET /user-agent HTTP/1.1", "Host: localhost", "User-Agent: test", ""],
    ["GET /files/ HTTP/1.1", "Host: localhost", ""],
    ["GET /files/a.txt HTTP/1.1", "Host: localhost", "Range: bytes=1-2", ""],
    ["GET /files/missing HTTP/1.1", "Host: localhost", ""],
    ["POST /files/b.txt HTTP/1.1", "Host: localhost", "Content-Length: 0", ""],
    ["POST /files/b.txt HTTP/1.1", "Host: localhost", AUTHORIZED, "Content-Length: 0", ""],
    ["DELETE /files/a.txt HTTP/1.1", "Host: localhost", ""],
    ["OPTIONS * HTTP/1.1", "Host: localhost", ""],
    ["OPTIONS /echo/a HTTP/1.1", "Host: localhost", ""],
    ["TRACE / HTTP/1.1", "Host: localhost", ""],
    ["BREW / HTTP/1.1", "Host: localhost", AUTHORIZED, ""],
    ["GET /echo/a HTTP/1.0", ""],
    ["GET / HTTP/1.1", "Host: rebound.example", ""],
    ["GET / HTTP/1.1", ""],
    ["GET / HTTP/1.1", "Host: localhost", *(f"X-{number}: 1" for number in range(101)), ""],
    ["nonsense", ""],
    *(
        [f"GET {path} HTTP/1.1", "Host: localhost", ""]
        for path in ("/demo/block", "/demo/large", "/demo", "/metrics", "/healthz", "/readyz", "/events")
    ),
    *([f"GET {path} HTTP/1.1", "Host: localhost", ""] for path in ("/connections", "/connections/1")),
    *(
        [f"POST {path} HTTP/1.1", "Host: localhost", AUTHORIZED, "Content-Length: 0", ""]
        for path in ("/control", "/breakpoints", "/demos", "/echo/a")
    ),
    # Pipelined: the order of the responses.
    [*(line for number in range(8) for line in (f"GET /echo/{number} HTTP/1.1", "Host: localhost", ""))],
]


def tree(node: _Node, path: str = "") -> Iterator[tuple[str, str, str, str, bool]]:
    """Yield each route under a node: method, path, pattern and handler, whether it has a sink."""
    for method, route in node.routes.items():
        function: Any = route.handler
        name = f"{function.__module__}.{function.__qualname__}"
        yield method, path, f"{route.template} {name}", str(route.always_open_sink), route.sink is not None
    children = [(f"/{name}", child) for name, child in node.literals.items()]
    children += [(f"/{{{each[0]}}}", each[1]) for each in (node.named,) if each is not None]
    children += [(f"/{{{each[0]}...}}", each[1]) for each in (node.rest,) if each is not None]
    for name, child in children:
        yield from tree(child, path + name)


def responses(port: int) -> Iterator[str]:
    """Yield the responses to each list of requests, without headers that differ from run to run."""
    for lines in REQUESTS:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(20)
            sock.sendall("\r\n".join([*lines, ""]).encode())
            sock.shutdown(socket.SHUT_WR)
            received = b""
            while data := sock.recv(1 << 16):
                received += data
        yield re.sub(r"(ETag|Last-Modified): [^\r]*", r"\1: -", received.decode("latin-1"))


def describe(server: Server) -> dict[str, Any]:
    """Return the routes and settings of a server."""
    context = server.context
    router: Router = context.router
    return {
        "router": f"{type(router).__module__}.{type(router).__qualname__}",
        "routes": sorted(tree(router._root)),
        "settings": repr(context.settings),
        "connection limit": server._acceptors[0]._limit,
        "address": server.address[0],
    }


def main(arguments: list[str]) -> None:
    """Start the server, describe it, send the requests, stop it, and print the result."""
    sends_signal = arguments[:1] == ["--send-sigusr1"]
    result: dict[str, Any] = {}

    def ask(served: Server) -> None:
        try:
            result["responses"] = list(responses(served.address[1]))
        finally:
            served.stop()
            served.stop()

    def on_ready(served: Server) -> None:
        result.update(describe(served))
        if sends_signal:
            os.kill(os.getpid(), signal.SIGUSR1)
        threading.Thread(target=ask, args=(served,)).start()

    def serve(*positional: Any, **named: Any) -> None:
        server.serve(*positional, **{**named, "on_ready": on_ready})

    with patch("reactor.cli.main.serve", serve):
        code = command_line.main(arguments[1:] if sends_signal else arguments)
    if code:
        sys.exit(code)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])

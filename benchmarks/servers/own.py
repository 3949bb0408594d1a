"""Servers of the user: one that runs at a URL, one that a command starts, or Reactor from another checkout.

The first two serve small responses only, each like the first one: status 2xx, and the same body.
"""

import re
import socket
from argparse import ArgumentTypeError
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.servers.peers import CLOSING, ECHO, EVERYTHING, PEERS, PIPELINED, Adapter
from benchmarks.servers.process import StartError, run_server
from benchmarks.servers.verify import VerificationError, first_body, verify
from benchmarks.servers.workloads import HOT

SERVES = frozenset({ECHO, PIPELINED, CLOSING})
WHY_NOT = "only measured with small responses: the question needs the application of the benchmarks"


def at_url(url: str) -> Adapter:
    """Return the server that runs at a URL; raise ArgumentTypeError unless it is a loopback address.

    >>> at_url("http://127.0.0.1:8000/items?id=7").name, at_url("http://localhost:8000/items?id=7").target
    ('127.0.0.1:8000', '/items?id=7')
    """
    try:
        parts = urlsplit(url)
        host, port = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        if parts.scheme != "http":
            raise ValueError("not http")
        if not ip_address(host).is_loopback:
            raise ValueError("not a loopback address of this machine")
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"invalid URL: {url!r}: {error} (example: http://127.0.0.1:8000/)") from None
    target = quote(f"{parts.path or '/'}?{parts.query}".removesuffix("?"), safe="/?%&=+:@,;!$'()*~")
    name = f"{parts.hostname}:{port}"
    return Adapter(name, [url], serves=SERVES, why_not=WHY_NOT, target=target, address=(host, port))


def by_command(command: str) -> Adapter:
    """Return the server that a shell command starts; raise ArgumentTypeError without {port}.

    >>> by_command("uvicorn app:app --port {port}").name, by_command("bin/serve /x/y {port}").name
    ('uvicorn app:app', 'serve y')
    """
    if "{port}" not in command:
        raise ArgumentTypeError(f"missing {{port}}: {command!r} (example: uvicorn app:app --port {{port}})")
    before = re.split(r"\s-(?!m\s)|\S*{port}", command)[0]  # the first option, or the port
    name = " ".join(Path(word).name or word for word in before.split()) or "command"
    argv = ["sh", "-c", command]
    return Adapter(name, argv, serves=SERVES, why_not=WHY_NOT, target="/", cwd=Path.cwd())


def in_checkout(directory: str) -> Adapter:
    """Return Reactor from another working tree, named after it; raise ArgumentTypeError without one."""
    path = Path(directory).resolve()
    if not (path / "reactor" / "__main__.py").is_file():
        hint = "example: ../before, made by git worktree add ../before COMMIT"
        raise ArgumentTypeError(f"not a checkout of Reactor: {directory!r} ({hint})")
    return replace(PEERS["reactor"], name=path.name, serves=EVERYTHING, cwd=path)


def checked(servers: Iterable[Adapter]) -> list[Adapter]:
    """Return the servers with different names, and with their first response; raise StartError."""
    found: list[Adapter] = []
    for number, server in enumerate(servers, 1):
        taken = server.name in {*PEERS, *(each.name for each in found)}
        found.append(_checked(replace(server, name=f"{server.name} {number}") if taken else server))
    return found


def _checked(own: Adapter) -> Adapter:
    try:
        with run_server(own) as server:
            if own.target:
                server.adapter = replace(own, content=first_body(server))
            verify(server, HOT)
            return server.adapter
    except VerificationError as error:
        raise StartError(f"{own.name}: GET {own.target}: {error}") from None

"""Servers of the user: one that runs at a URL, or that a command starts.

They serve small responses only, each like the first one: status 2xx, and the same body.
"""

import re
import socket
from argparse import ArgumentTypeError
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.servers.peers import CLOSING, ECHO, PEERS, PIPELINED, Adapter
from benchmarks.servers.process import StartError, run_server
from benchmarks.servers.verify import VerificationError, first_body, verify
from benchmarks.servers.workloads import HOT

SERVES = frozenset({ECHO, PIPELINED, CLOSING})
WHY_NOT = "only measured with small responses: the question needs the application of the benchmarks"


class OwnServerError(Exception):
    """A server of the user cannot be measured; after the first line, the message shows its output."""


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

    >>> by_command("PORT={port} python -m http.server").name, by_command("bin/serve /x/y -p{port}").name
    ('python -m http.server', 'serve y')
    """
    if "{port}" not in command:
        raise ArgumentTypeError(f"missing {{port}}: {command!r} (example: uvicorn app:app --port {{port}})")
    words = re.sub(r"^((env|exec|\w+=\S*)\s+)*", "", command).split()
    # The program, and the words before the first option and before the port.
    first = next(i for i, word in enumerate([*words, "{port}"]) if re.search(r"{port}|^-(?!m$)", word))
    name = " ".join(Path(word).name or word for word in words[:first]) or "command"
    argv = ["sh", "-c", command]
    return Adapter(name, argv, serves=SERVES, why_not=WHY_NOT, target="/", cwd=Path.cwd())


def checked(servers: Iterable[Adapter]) -> list[Adapter]:
    """Return the servers with different names, and with their first response; raise OwnServerError."""
    found: list[Adapter] = []
    for server in servers:
        taken = {*PEERS, *(each.name for each in found)}
        names = (server.name, *(f"{server.name} {number}" for number in range(2, len(taken) + 3)))
        found.append(_checked(replace(server, name=next(name for name in names if name not in taken))))
    return found


def _checked(own: Adapter) -> Adapter:
    try:
        with run_server(own) as server:
            server.adapter = replace(own, content=first_body(server))
            verify(server, HOT)
            return server.adapter
    except StartError as error:
        raise OwnServerError("\n  ".join([error.reason, *error.output])) from None
    except VerificationError as error:
        raise OwnServerError(f"{own.name}: GET {own.target}: {error}") from None

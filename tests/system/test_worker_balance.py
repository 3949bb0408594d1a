"""How evenly the workers share 1,000 connections; ``-s`` shows the numbers of each run."""

import os
import socket
from contextlib import ExitStack

import pytest

from tests.support.workers import WorkersProcess

pytestmark = pytest.mark.bench

CONNECTIONS = 1_000
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def get(client: socket.socket) -> None:
    """Send a request, so that the connection is certainly accepted."""
    client.sendall(REQUEST)
    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def open_files(pid: int) -> int:
    """Return the number of open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_the_fullest_worker_has_at_most_half_more_connections_than_the_emptiest(
    workers: int, at_once: bool
) -> None:
    with WorkersProcess("--no-access-log", workers=workers) as server, ExitStack() as stack:
        before = {pid: open_files(pid) for pid in server.worker_pids()}
        clients = []
        for _ in range(CONNECTIONS):
            clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)))
            if not at_once:
                get(clients[-1])
        if at_once:
            for client in clients:
                get(client)
        shares = [open_files(pid) - number for pid, number in before.items()]
        print(shares, round(max(shares) / min(shares), 2))
        assert sum(shares) == CONNECTIONS
        assert max(shares) <= 1.5 * min(shares)

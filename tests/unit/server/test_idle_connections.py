"""What an idle connection costs: the memory of its objects, and the calls that open it."""

import gc
import socket
import tracemalloc
from contextlib import ExitStack

from reactor import handlers
from reactor.server.server import Server
from tests.support.calls import count_calls

CONNECTIONS = 250
MAX_SIZE = 1024  # bytes of each, in the memory of Python


def test_an_idle_connection_takes_at_most_one_kibibyte() -> None:
    with Server(handlers.build(), port=0) as server, ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(CONNECTIONS)]
        exchange(server, clients.pop())  # what is made once is made now
        gc.collect()
        tracemalloc.start()
        try:
            for client in clients:
                exchange(server, client)
            gc.collect()
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(server.context.connections) == CONNECTIONS
        assert all(each.is_between_requests for each in server.context.connections.values())
        assert 500 < size / len(clients) <= MAX_SIZE


def exchange(server: Server, client: socket.socket) -> None:
    """Connect a client, send a request, and receive the response."""
    client.connect(server.address)
    client.sendall(b"GET /echo/abc HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.setblocking(False)
    while True:
        server.reactor.turn(may_sleep=False)
        try:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            return
        except BlockingIOError:
            pass


def test_accepting_makes_no_members_of_enums() -> None:
    with Server(handlers.build(), port=0) as server, socket.create_connection(server.address):
        accepting = count_calls(lambda: server.reactor.turn(may_sleep=False))
        assert len(server.context.connections) == 1
        names = [code.co_qualname for code in accepting.codes]
        assert "socket.accept" in names
        assert "EnumType.__call__" not in names

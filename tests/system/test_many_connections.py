"""A thousand connections, open at once; three requests on each."""

import resource
import selectors
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.in_process import parse_response
from tests.support.process import TIMEOUT, ServerProcess, head

CONNECTIONS = 1000
REQUESTS = 3
DESCRIPTORS = 2 * CONNECTIONS + 500  # the server keeps one for a file of each connection


@pytest.fixture
def enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited and hard < DESCRIPTORS:
        pytest.skip(f"the hard limit on open files is {hard}, and {DESCRIPTORS} are needed")
    raised = soft != unlimited and soft < DESCRIPTORS
    if raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    yield
    if raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class ManyClients:
    """Many clients in one thread."""

    def __init__(self, server: ServerProcess) -> None:
        self.selector = selectors.DefaultSelector()
        self.clients = [server.connect() for _ in range(CONNECTIONS)]
        for number, client in enumerate(self.clients):
            client.sock.setblocking(False)
            self.selector.register(client.sock, selectors.EVENT_READ, number)

    def all_ask(self, round_: int) -> dict[int, bytes]:
        """Send a request on every connection before any answer is read; return the answers."""
        for number, client in enumerate(self.clients):
            client.send(head("GET", f"/echo/{round_}-{number}"))
        answers: dict[int, bytes] = {}
        while len(answers) < len(self.clients):
            ready = self.selector.select(TIMEOUT)
            assert ready, f"{len(self.clients) - len(answers)} connections got no response"
            for key, _ in ready:
                self._read(key.data, answers)
        return answers

    def _read(self, number: int, answers: dict[int, bytes]) -> None:
        client = self.clients[number]
        octets = client.sock.recv(4096)
        assert octets, f"connection {number} was closed"
        client.received += octets
        answer, length = parse_response(client.received, "GET", closed=False)
        if answer is not None:
            assert number not in answers
            assert answer.status == 200
            answers[number] = answer.content
            client.received = client.received[length:]

    def assert_all_open(self) -> None:
        for client in self.clients:
            with pytest.raises(BlockingIOError):
                client.sock.recv(1)


@pytest.mark.usefixtures("enough_descriptors")
def test_a_thousand_connections_are_held_open_and_each_is_answered_three_times() -> None:
    with ServerProcess("--no-access-log") as server:
        clients = ManyClients(server)
        with clients.selector:
            for round_ in range(REQUESTS):
                answers = clients.all_ask(round_)
                assert answers == {number: f"{round_}-{number}".encode() for number in range(CONNECTIONS)}
            clients.assert_all_open()


@pytest.mark.usefixtures("enough_descriptors")
def test_a_thousand_silent_connections_are_in_nobodys_way() -> None:
    with ServerProcess("--no-access-log") as server:
        clients = [server.connect() for _ in range(CONNECTIONS)]
        with server.connect() as client:
            for number in range(100):
                assert client.get(f"/echo/{number}").content == str(number).encode()
        for client in clients:
            client.send_head("GET", "/")
        assert {client.answer().status for client in clients} == {200}


def test_over_the_limit_the_longest_idle_connection_makes_room() -> None:
    with ServerProcess("--max-connections", "3") as server:
        clients = [server.connect() for _ in range(3)]
        for number in (1, 0, 2):
            assert clients[number].get("/").status == 200
        newcomer = server.connect()
        assert newcomer.get("/echo/new").content == b"new"
        clients[1].assert_closed()
        for client in (clients[0], clients[2], newcomer):
            assert client.get("/").status == 200


def test_over_the_limit_with_nobody_idle_a_newcomer_waits_for_a_place(tmp_path: Path) -> None:
    with ServerProcess("--max-connections", "2", "--directory", str(tmp_path)) as server:
        busy = [server.connect(), server.connect()]
        for client in busy:
            client.send_head("POST", "/files/x", "Content-Length: 1", "Expect: 100-continue")
            assert client.answer().status == 100
        newcomer = server.connect()
        newcomer.send_head("GET", "/echo/new")
        assert "not accepting connections" in (server.stderr.next() or "")
        for client in busy:
            client.send(b"x")
            assert client.answer().status == 201
        assert newcomer.answer().content == b"new"

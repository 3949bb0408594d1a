"""A thousand clients of a process that is suspended for 30 s under load, ten times: all are answered."""

import select
import signal
import threading
from pathlib import Path

import pytest

from tests.support.process import ClientConnection, ServerProcess, head

ROUNDS, SECONDS = 10, 30.0  # longer than the timeouts for heads, bodies and first bytes
EACH = 200  # clients of each of five kinds
BODY = b"x" * 3000


class Load(threading.Thread):
    """Clients that send one request after another, and the next one while the server is suspended."""

    def __init__(self, clients: list[ClientConnection]) -> None:
        super().__init__(daemon=True)
        self._clients = clients
        self.ended = threading.Event()
        self.answered = 0
        self.failed: list[str] = []

    def run(self) -> None:
        """Let all clients send requests concurrently until the end."""
        while not self.ended.is_set():
            for number, client in enumerate(self._clients):
                client.send_head("GET", f"/echo/{number}")
            for number, client in enumerate(self._clients):
                try:
                    client.sock.settimeout(SECONDS * 3)
                    assert client.answer().content == b"%d" % number
                    self.answered += 1
                except (AssertionError, OSError) as error:
                    self.failed.append(repr(error))
                    return


@pytest.mark.slow
def test_no_client_whose_bytes_have_arrived_is_lost(tmp_path: Path) -> None:
    with ServerProcess("--directory", str(tmp_path), "--no-access-log") as server:
        load = Load([server.connect() for _ in range(EACH)])
        idle = [server.connect() for _ in range(EACH)]
        load.start()
        lost: list[str] = []
        for turn in range(ROUNDS):
            silent = [server.connect() for _ in range(EACH)]
            heads = [server.connect() for _ in range(EACH)]
            bodies = [server.connect() for _ in range(EACH)]
            for client in idle:
                assert client.get("/echo/before").content == b"before"
            for client in heads:
                client.send(head("GET", "/echo/head")[:20])
            for number, client in enumerate(bodies):
                client.send_head("POST", f"/files/{number}", f"Content-Length: {len(BODY)}")
                client.send(BODY[:10])
            asked = load.answered + EACH
            while load.answered < asked and load.is_alive():
                select.select([], [], [], 0.01)
            server.send_signal(signal.SIGSTOP)
            for client in idle:
                client.send_head("GET", "/echo/idle")
            for client in silent:
                client.send_head("GET", "/echo/silent")
            for client in heads:
                client.send(head("GET", "/echo/head")[20:])
            for client in bodies:
                client.send(BODY[10:])
            select.select([], [], [], SECONDS)
            server.send_signal(signal.SIGCONT)
            for content, clients in ((b"idle", idle), (b"silent", silent), (b"head", heads), (b"", bodies)):
                for number, client in enumerate(clients):
                    try:
                        answer = client.answer()
                        assert (answer.status, answer.content) in ((200, content), (201, content)), answer
                    except (AssertionError, OSError) as error:
                        lost.append(f"{turn} {content!r} {number}: {error!r}")
            for client in (*silent, *heads, *bodies):
                client.close()
            assert not lost, f"{len(lost)} of {4 * EACH} lost: {lost[:3]}"
            assert not load.failed
        load.ended.set()
        load.join(SECONDS)
        assert not load.failed
        assert load.answered > EACH * ROUNDS

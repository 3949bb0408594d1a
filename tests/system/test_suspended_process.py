"""A thousand clients of a process that is stopped for 30 s under load, ten times: none of them is lost."""

import select
import signal
import threading
from pathlib import Path

import pytest

from tests.support.process import ServerProcess, Wire, head

ROUNDS, SECONDS = 10, 30.0  # longer than the timeouts of heads, bodies and first bytes
EACH = 200  # clients of each of five kinds
BODY = b"x" * 3000


class Load(threading.Thread):
    """Clients that send one request after the other, and each the next one while the server is stopped."""

    def __init__(self, wires: list[Wire]) -> None:
        super().__init__(daemon=True)
        self._wires = wires
        self.ended = threading.Event()
        self.answered = 0
        self.failed: list[str] = []

    def run(self) -> None:
        """Have the clients ask, all of them at once, until the end."""
        while not self.ended.is_set():
            for number, wire in enumerate(self._wires):
                wire.send_head("GET", f"/echo/{number}")
            for number, wire in enumerate(self._wires):
                try:
                    wire.sock.settimeout(SECONDS * 3)
                    assert wire.answer().content == b"%d" % number
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
            for wire in idle:
                assert wire.get("/echo/before").content == b"before"
            for wire in heads:
                wire.send(head("GET", "/echo/head")[:20])
            for number, wire in enumerate(bodies):
                wire.send_head("POST", f"/files/{number}", f"Content-Length: {len(BODY)}")
                wire.send(BODY[:10])
            asked = load.answered + EACH
            while load.answered < asked and load.is_alive():
                select.select([], [], [], 0.01)
            server.send_signal(signal.SIGSTOP)
            for wire in idle:
                wire.send_head("GET", "/echo/idle")
            for wire in silent:
                wire.send_head("GET", "/echo/silent")
            for wire in heads:
                wire.send(head("GET", "/echo/head")[20:])
            for wire in bodies:
                wire.send(BODY[10:])
            select.select([], [], [], SECONDS)
            server.send_signal(signal.SIGCONT)
            for content, wires in ((b"idle", idle), (b"silent", silent), (b"head", heads), (b"", bodies)):
                for number, wire in enumerate(wires):
                    try:
                        answer = wire.answer()
                        assert (answer.status, answer.content) in ((200, content), (201, content)), answer
                    except (AssertionError, OSError) as error:
                        lost.append(f"{turn} {content!r} {number}: {error!r}")
            for wire in (*silent, *heads, *bodies):
                wire.close()
            assert not lost, f"{len(lost)} of {4 * EACH} lost: {lost[:3]}"
            assert not load.failed
        load.ended.set()
        load.join(SECONDS)
        assert not load.failed
        assert load.answered > EACH * ROUNDS

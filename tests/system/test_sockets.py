"""Unix sockets and socket activation, with real processes; a restart loses no connection."""

import shutil
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.process import COMMAND, ROOT, TIMEOUT, ClientConnection, ServerProcess, head
from tests.system.test_curl import CURL, run_curl

GENERATIONS = 4
CLIENTS = 6
ANSWERED = 150  # by each generation of the server


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # whose own path may be too long for a Unix socket
    return tmp_path


@contextmanager
def listening(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """Open a listening socket, as a service manager does."""
    with socket.socket(family) as sock:
        sock.bind(("127.0.0.1", 0) if family == socket.AF_INET else "s")
        sock.listen(4096)
        yield sock


# Unix sockets.


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_uses_a_unix_socket(tmp_path: Path) -> None:
    path, upload = str(tmp_path / "s"), tmp_path / "upload"
    upload.write_bytes(b"x" * 3_000_000)
    shared = tmp_path / "shared"
    shared.mkdir()
    with ServerProcess("--unix", path, "--directory", str(shared)) as server:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
        to_server = ("--unix-socket", path)
        assert run_curl(*to_server, "http://files.example/echo/a%20b") == b"a b"
        url = "http://files.example/files/upload"
        run_curl(*to_server, "--fail", "--data-binary", f"@{upload}", url)
        assert run_curl(*to_server, "--fail", url) == upload.read_bytes()
        server.terminate()
        assert server.exit_code() == 0
        assert all(line.startswith("unix - - [") for line in server.stdout.rest())
    assert not (tmp_path / "s").exists()


def test_a_killed_server_leaves_a_socket_that_the_next_one_replaces(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with ServerProcess("--unix", path) as server:
        server.kill()
    with pytest.raises(ConnectionRefusedError):
        ClientConnection(path)
    with ServerProcess("--unix", path), ClientConnection(path) as client:
        assert client.get("/").status == 200


# Socket activation.


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_passed_sockets_are_used_and_left_open(here: Path, family: int) -> None:
    with listening(family) as first, listening() as second:
        addresses = [port_or_path(each) for each in (first, second)]
        names = {"LISTEN_FDNAMES": "web:admin"}
        for _ in range(2):
            with ServerProcess(passed=[first, second], extra=names) as server:
                assert "socket of" not in server.start_line
                assert "of the service manager" in server.start_line
                for address in addresses:
                    with ClientConnection(address) as client:
                        assert client.get("/").status == 200
                server.terminate()
                assert server.exit_code() == 0


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not installed")
def test_systemd_passes_a_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    options = (f"--listen={path}", "--fdname=web", f"--setenv=PYTHONPATH={ROOT}")
    server = ServerProcess(command=COMMAND[:2], launcher=("systemd-socket-activate", *options))
    while "Listening on" not in (line := server.stderr.next() or "exit"):
        assert line != "exit"
    with ClientConnection(path) as client:  # which starts the server
        client.send_head("GET", "/echo/activated")
        with server:
            origin = "socket web of the service manager"
            assert server.start_line.startswith(f"reactor: serving on the Unix socket {path} ({origin}; ")
            assert client.answer().content == b"activated"


def port_or_path(sock: socket.socket) -> int | str:
    address = sock.getsockname()
    return str(address) if sock.family == socket.AF_UNIX else int(address[1])


def test_connections_wait_for_the_next_server() -> None:
    """Those that connect before, between and during two servers are answered by the second one."""
    with listening() as sock:
        port = sock.getsockname()[1]
        with ServerProcess("--shutdown-timeout", "3600", passed=[sock]) as first, first.connect() as idle:
            assert idle.get("/").status == 200
            download = first.connect()
            download.send(head("GET", "/echo/first") + b"GET /echo/second HTTP/1.1\r\n")
            assert download.answer().content == b"first"
            first.terminate()
            idle.assert_closed()
            waiting = [ClientConnection(port) for _ in range(3)]
            for each in waiting:
                each.send_head("GET", "/echo/waited")
            download.send(b"Host: localhost\r\n\r\n")
            assert download.answer().headers["connection"] == "close"
            download.close()
            idle.close()
            assert first.exit_code() == 0
        waiting.append(ClientConnection(port))
        waiting[-1].send_head("GET", "/echo/waited")
        with ServerProcess(passed=[sock]):
            for each in waiting:
                with each:
                    assert each.answer().content == b"waited"


class Load:
    """Clients that connect, send a request, and read the response, again and again."""

    def __init__(self, address: int | str) -> None:
        self._address = address
        self._changed = threading.Condition()
        self._ends = False
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> "Load":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends = True
        for each in self._threads:
            each.join(TIMEOUT)

    def wait_for(self, count: int) -> None:
        """Wait until so many more requests are answered."""
        with self._changed:
            target = self.answered + count
            done = self._changed.wait_for(lambda: self.failures or self.answered >= target, TIMEOUT)
            assert done, "no request is answered any more"

    def _run(self, keeps_alive: bool) -> None:
        while not self._ends:
            try:
                with ClientConnection(self._address) as client:
                    self._use(client, keeps_alive)
            except (OSError, AssertionError) as error:
                with self._changed:
                    self.failures.append(repr(error))
                    self._changed.notify_all()
                return

    def _use(self, client: ClientConnection, keeps_alive: bool) -> None:
        """Send requests until the server closes the connection, at most ten."""
        for count in range(10 if keeps_alive else 1):
            try:
                answer = client.get("/echo/x", *(() if keeps_alive else ("Connection: close",)))
            except (OSError, AssertionError):
                # RFC 9112, 9.3.1: a server may close an idle connection; the client repeats the request.
                if count and not client.received:
                    return
                raise
            assert (answer.status, answer.content) == (200, b"x")
            with self._changed:
                self.answered += 1
                self._changed.notify_all()
            if answer.headers.get("connection") == "close":
                return


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_restarts_under_load_lose_no_connection(here: Path, family: int) -> None:
    with listening(family) as sock, Load(port_or_path(sock)) as load:
        for generation in range(GENERATIONS):
            options = ("--shutdown-delay", "0.2") if generation % 2 else ()
            with ServerProcess("--no-access-log", *options, passed=[sock]) as server:
                load.wait_for(ANSWERED)
                server.send_signal(signal.SIGTERM)
                assert server.exit_code() == 0
        with ServerProcess("--no-access-log", passed=[sock]):
            load.wait_for(ANSWERED)
            assert load.failures == []
            load.__exit__()
    assert load.failures == []

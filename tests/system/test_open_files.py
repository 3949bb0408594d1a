"""With ``ulimit -n 256``, clients that request a file and do not read it deny no file to others."""

import os
from pathlib import Path

import pytest

from tests.support.process import ServerProcess

FILES = 256
LIMITED = ("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh")
CONNECTIONS = 88  # the connection limit with so many files
ATTACKERS = 230
CONTENT = os.urandom(1 << 20) * 8


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "large").write_bytes(CONTENT)
    return tmp_path


def open_files(server: ServerProcess) -> list[str]:
    """Return what each descriptor of a server is."""
    directory = f"/proc/{server.pid}/fd"
    return [os.readlink(f"{directory}/{number}") for number in os.listdir(directory)]


def test_each_connection_gets_a_file_if_all_others_do_not_read_theirs(directory: Path) -> None:
    with ServerProcess("--directory", str(directory), launcher=LIMITED) as server:
        others = [server.connect() for _ in range(8)]
        for client in others:
            assert client.get("/echo/a").content == b"a"
        stalled = [server.connect(receive_buffer=4096) for _ in range(CONNECTIONS - len(others))]
        for client in stalled:
            client.send_head("GET", "/files/large")
        for client in stalled:
            assert client.read_head().startswith(b"HTTP/1.1 200 ")
        assert open_files(server).count(str(directory / "large")) == len(stalled)
        for client in others:
            assert client.get("/files/large").content == CONTENT
            assert client.post("/files/new", b"new").status in (201, 204)
            assert b"large" in client.get("/files/", "Accept: application/json").content


def test_more_clients_than_descriptors_wait_and_each_gets_its_file(directory: Path) -> None:
    with ServerProcess("--directory", str(directory), launcher=LIMITED) as server:
        clients = []
        for _ in range(ATTACKERS):
            clients.append(server.connect(receive_buffer=4096))
            clients[-1].send_head("GET", "/files/large")
        for client in clients[:CONNECTIONS]:
            assert client.read_head().startswith(b"HTTP/1.1 200 ")
        assert len(open_files(server)) < FILES - 16
        for client in clients[:CONNECTIONS]:
            client.close()
        for client in clients[CONNECTIONS:]:
            assert client.read_head().startswith(b"HTTP/1.1 200 ")
            client.close()
        assert server.get("/files/large").content == CONTENT

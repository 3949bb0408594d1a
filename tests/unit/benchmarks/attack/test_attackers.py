"""Attackers: plans on a connection, the attack process, and the files of an attacked server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

import psutil

from benchmarks.attack import files
from benchmarks.attack.attackers import LARGE_FILE, Attacker, AttackSettings, Plan
from benchmarks.attack.process import attack_process
from benchmarks.attack.scenarios import FULL, QUICK, SCENARIOS, Scale, data
from benchmarks.load.clients import ClientGroup, LoadError
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import run_server
from benchmarks.servers.workloads import MIB, numbered
from reactor.loop import Reactor

BY_NAME = {each.name: each for each in SCENARIOS}
SMALL = Scale(share=0.001, honest=1, interval=1, attack=0, timeout=1, haste=1, large=2 * MIB)
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Connection:
    """An attacker that is connected to ``far``, without a server."""

    def __init__(self, settings: AttackSettings) -> None:
        self.events = Counter[str]()
        self.group = ClientGroup(("127.0.0.1", 0), b"", b"", Reactor())
        self.attacker = Attacker(self.group, settings, self.events, 0)
        self.attacker._plan = settings.plans[0]
        self.attacker.handle, self.far = socket.socketpair()
        for end in (self.attacker.handle, self.far):
            end.setblocking(False)
        self.attacker.connected = True
        self.attacker.on_connected()
        self.group.reactor.register(self.attacker)

    def received(self) -> bytes:
        """Return what the attacker sends, until it sends nothing more."""
        received, silent = b"", 0
        while silent < 3:
            self.group.reactor.turn()
            try:
                piece = self.far.recv(1 << 20)
            except BlockingIOError:
                piece = b""
            received, silent = received + piece, silent + 1 if not piece else 0
        return received


@contextmanager
def connection(plan: Plan, **settings: Any) -> Iterator[Connection]:
    """Return an attacker with one plan, and without reconnecting."""
    made = Connection(AttackSettings([plan], returning=False, **settings))
    with made.far:
        yield made
        made.attacker.disconnect()
        made.group.reactor.close()


def test_pipelined_requests_are_repeated_after_the_last_response() -> None:
    with connection(Plan(b"requests", again_after=b"end")) as client:
        assert client.received() == b"requests"
        for piece, answer in (
            (HEAD + b"...en", b""),
            (b"d", b"requests"),
            (b"d", b""),
            (b"end", b"requests"),
        ):
            client.far.send(piece)
            assert client.received() == answer


@pytest.mark.parametrize(("expects", "event"), [("", "left"), ("2", "answered")])
def test_an_upload_is_aborted_unless_a_response_is_expected(expects: str, event: str) -> None:
    with connection(Plan(b"head", uploads=True, expects=expects), large=2 * MIB) as client:
        assert len(client.received()) == len(b"head") + 2 * MIB
        assert client.attacker.connected == bool(expects)
        if expects:
            client.far.send(b"HTTP/1.1 201 Created\r\n\r\n")
            client.received()
        assert (client.attacker.connected, client.events[event]) == (False, 1)
        assert not client.events["wrong responses"]


def test_a_file_is_deleted_during_its_download_before_the_client_leaves(tmp_path: Path) -> None:
    file = tmp_path / (LARGE_FILE % 1)
    file.touch()
    with connection(Plan(stalls=True, removes=True), directory=tmp_path, interval=1e9) as client:
        client.received()
        assert file.exists()
        client.far.send(HEAD)
        client.received()
        assert (file.exists(), client.events["left"]) == (False, 0)
        client.attacker.connect_later(0)  # the interval has passed
        client.received()
        assert (client.attacker.connected, client.events["left"]) == (False, 1)


@pytest.mark.parametrize(("status", "wrong"), [("201", 0), ("204", 0), ("404", 1)])
def test_a_response_with_another_status_is_wrong(status: str, wrong: int) -> None:
    with connection(Plan(b"x", expects="2")) as client:
        client.received()
        client.far.send(f"HTTP/1.1 {status} Any\r\n\r\n".encode())
        client.received()
        assert client.events == {"connected": 1, status: 1, "wrong responses": wrong, "answered": 1}


# The attack process.


def soon(condition: Callable[[], object]) -> bool:
    """Return whether a condition holds within 500 reports of an attack process."""
    return any(condition() for _ in range(500))


def test_the_attack_process_executes_commands_and_observes_the_server() -> None:
    with (
        run_server(PEERS["reactor"]) as server,
        attack_process(server, AttackSettings([Plan()]), 3) as command,
    ):
        before = command("report")
        assert not before.connecting
        assert command("arrive", 0.0).connecting
        assert soon(lambda: command("report").descriptors >= before.descriptors + 3)
        report = command("report")
        assert (report.events["connected"], report.connecting) == (3, False)
        assert report.resident >= before.resident > MIB
        assert server.descriptors() == before.descriptors + 3
        command("leave")
        assert soon(lambda: command("report") and server.descriptors() == before.descriptors)


@pytest.mark.parametrize("returning", [True, False])
def test_attackers_reconnect_only_while_returning(returning: bool) -> None:
    with run_server(PEERS["reactor"]) as server:
        plan = Plan(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", expects="200")
        with attack_process(server, AttackSettings([plan]), 1) as command:
            command("set_returning", returning)
            command("arrive", 0.0)
            assert soon(lambda: command("report").events["answered"] > returning)
            assert (command("report").events["connected"] > 1) == returning


def test_the_attack_process_ends_by_itself() -> None:
    server: Any = SimpleNamespace(address=("127.0.0.1", 1), pid=os.getpid())
    with (
        attack_process(server, AttackSettings([Plan()]), 1, seconds=0) as command,
        pytest.raises(LoadError, match="ended with exit code 0"),
    ):
        command("report")


PARENT = """
import os
from types import SimpleNamespace
from benchmarks.attack.attackers import AttackSettings, Plan
from benchmarks.attack.process import attack_process
server = SimpleNamespace(address=("127.0.0.1", 1), pid=os.getpid())
with attack_process(server, AttackSettings([Plan()]), 1) as command:
    command("report")
    print("ready", flush=True)
    input()
"""


def test_the_attack_process_has_a_low_priority_and_ends_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        (child,) = psutil.Process(parent.pid).children()
        assert child.nice() > psutil.Process(parent.pid).nice()
        parent.send_signal(signal.SIGKILL)
    child.wait(20)


# Scenarios and files.


def test_repeated_parts_are_numbered_at_each_level() -> None:
    assert data(["a", ["b{i}", 2], "-", 3]) == b"ab0b1-" * 3


@pytest.mark.parametrize("name", ["replaced", "deleted", "last-descriptor"])
def test_each_attacker_has_a_large_file_of_real_blocks(name: str, tmp_path: Path) -> None:
    scenario = BY_NAME[name]
    files.write_files(scenario, SMALL, tmp_path)
    target = numbered(scenario.plans[0].sends, 1).split()[1].decode()
    status = (tmp_path / Path(target).name).stat()
    assert (status.st_size, scenario.stored(SMALL)) == (2 * MIB, 2 * MIB)
    assert status.st_blocks * 512 >= status.st_size
    assert len(list(tmp_path.glob("large-*"))) == scenario.count(SMALL) == 1


def test_texts_and_directories_have_the_size_of_the_scale(tmp_path: Path) -> None:
    for name, text, entries in (("compressions", 20_000, 0), ("listings", 0, 100), ("aborted", 0, 0)):
        directory = tmp_path / name
        directory.mkdir()
        files.write_files(BY_NAME[name], SMALL, directory)
        assert (directory / "text.txt").stat().st_size == text
        assert len(list((directory / "many").iterdir())) == entries
        assert not list(directory.glob("large-*"))
        assert all(path.name.startswith(files.NAMES) for path in directory.iterdir())


@pytest.mark.parametrize(
    ("file_systems", "chosen"),
    [(("ext4", "ext4"), 0), (("tmpfs", "ext4"), 1), (("tmpfs", "tmpfs"), 0)],
)
def test_large_files_are_on_a_disk_if_there_is_one(
    file_systems: tuple[str, str], chosen: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, root = tmp_path / "temporary", tmp_path / "root"
    mounts = [("/", "tmpfs"), (str(temporary), file_systems[0]), (str(root), file_systems[1])]
    temporary.mkdir()
    root.mkdir()
    found = [SimpleNamespace(mountpoint=path, fstype=kind) for path, kind in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: found)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(files, "ROOT", root)
    assert files.disk_directory() == (temporary, root)[chosen]


def test_scenarios_without_enough_disk_space_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4 << 30))
    reasons = {each.name: files.missing_space(each, FULL) for each in SCENARIOS}
    words = "not enough disk space: 4.00 GiB free, 4.50 GiB needed"
    skipped = {name for name, reason in reasons.items() if reason == words}
    assert skipped == {each.name for each in SCENARIOS if each.on_disk} - {"aborted"}
    assert skipped
    assert not any(files.missing_space(each, QUICK) for each in SCENARIOS)

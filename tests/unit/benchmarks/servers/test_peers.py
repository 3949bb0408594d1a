"""Each installed peer gives correct responses to each workload that it serves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.servers.apps import shared
from benchmarks.servers.peers import EVERYTHING, FILES, PEERS, Adapter
from benchmarks.servers.process import RunningServer, run_server
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import LARGE, WORKLOADS, Workload

SMALL = [each for each in WORKLOADS.values() if each.size < LARGE]


@pytest.fixture(scope="module", params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    adapter = PEERS[request.param]
    reason = adapter.missing()
    if reason is not None:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("shared")
    for each in SMALL:
        if each.needs == FILES:
            (directory / Path(each.targets[0]).name).write_bytes(each.content)
    with run_server(adapter, directory) as server:
        yield server


@pytest.mark.parametrize("workload", SMALL, ids=lambda each: each.name)
def test_a_peer_responds_correctly_to_what_it_serves(peer: RunningServer, workload: Workload) -> None:
    adapter = PEERS[peer.name]
    if workload.needs not in adapter.serves:
        pytest.skip(f"{peer.name}: {adapter.why_not}")
    assert verify(peer, workload) == 4 * workload.depth


def test_peers_are_in_display_order() -> None:
    assert list(PEERS)[:5] == ["bare loop", "reactor", "reactor +log", "reactor wsgi", "nginx"]
    assert set(PEERS) >= {"bjoern", "uvicorn", "granian", "gunicorn", "waitress", "aiohttp", "tornado"}
    assert all(name == adapter.name for name, adapter in PEERS.items())


def test_a_peer_that_lacks_a_feature_has_a_reason() -> None:
    some = [each for each in PEERS.values() if not each.serves >= EVERYTHING]
    assert some
    assert all(each.why_not != Adapter.why_not for each in some)


@pytest.mark.parametrize("adapter", PEERS.values(), ids=PEERS)
def test_all_placeholders_of_a_command_line_are_filled_in(adapter: Adapter, tmp_path: Path) -> None:
    words = adapter.command(4221, tmp_path / "shared", tmp_path)
    files = [path.read_text() for path in tmp_path.iterdir()]
    assert "4221" in " ".join([*words, *files])
    assert not any(
        re.search(r"{(port|directory|scratch|user|python|app)}", text) for text in [*words, *files]
    )


def test_a_version_names_all_packages() -> None:
    installed = Adapter("some", [], ["pytest", "psutil"])
    assert installed.missing() is None
    assert installed.version().startswith("pytest ")
    assert "(psutil " in installed.version()


def test_a_missing_peer_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Adapter("absent", [], ["pytest", "no-such-distribution"])
    assert absent.missing() == "no-such-distribution is not installed (pip install '.[bench]')"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert PEERS["nginx"].missing() == "nginx is not installed (Debian: apt-get install nginx)"


def test_an_upload_that_ends_early_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "DIRECTORY", tmp_path)
    assert shared.store("name", b"123", 4) == 500
    assert list(tmp_path.iterdir()) == []
    assert shared.store("/files/name", b"1234", 4) == 201
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("name", b"1234")]


@pytest.mark.parametrize("name", ["/files/name", "../name", "/a/../../name"])
def test_names_never_lead_out_of_the_directory(name: str) -> None:
    assert shared.path_of(name) == shared.DIRECTORY / "name"

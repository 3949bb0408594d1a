"""Every attack scenario at a small scale: the server survives, and honest clients are served.

Nothing is measured, and each phase ends as soon as its condition holds. For figures run
``python -m benchmarks attack``.
"""

import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.attack import run
from benchmarks.attack.attackers import Attacker, AttackSettings, Plan
from benchmarks.attack.run import AttackRun, faults
from benchmarks.attack.scenarios import SCENARIOS, Scale, Scenario
from benchmarks.load.clients import ClientGroup
from benchmarks.load.histogram import Histogram
from benchmarks.questions import attack
from benchmarks.results.samples import Peer, Run, Sample
from benchmarks.results.statistics import figures
from benchmarks.results.targets import MISSED, PASS, evaluate
from benchmarks.runner.command import print_results
from benchmarks.runner.rounds import Config
from benchmarks.servers.own import by_command, in_checkout
from benchmarks.servers.peers import PEERS, Adapter
from benchmarks.servers.process import ROOT
from reactor.loop import Reactor

TINY = Scale(share=0.02, honest=4, interval=0.005, attack=0, timeout=0.2, haste=0.05, large=1 << 20)


def run_attack(scenario: Scenario, scale: Scale) -> Sample:
    """Run a scenario in this process."""
    sent: list[tuple[Peer, Sample]] = []
    pipe = cast("Connection[tuple[Peer, Sample], None]", SimpleNamespace(send=sent.append))
    run.run_attack(pipe, PEERS[next(iter(scenario.peers), "reactor")], scenario, scale)
    return sent[0][1]


BY_NAME: Mapping[str, Scenario] = {each.name: each for each in SCENARIOS}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_server_survives_and_serves_honest_clients(name: str) -> None:
    sample = run_attack(BY_NAME[name], TINY)
    assert sample.failures == {}
    assert sample.errors == 0
    peer = "reactor wsgi" if name == "wsgi" else "reactor"
    assert (sample.question, sample.workload, sample.peer) == ("attack", name, peer)
    assert sample.requests >= sample.asked == sample.established == 4
    assert sample.observed["descriptors kept"] == 0
    if BY_NAME[name].max_connections:
        assert sample.observed["descriptors"] + sample.asked > 0


@pytest.mark.parametrize(
    ("scenario", "failure"),
    [
        (replace(BY_NAME["idle"], expected_events={"200": 1e9}), "attack without effect"),
        (replace(BY_NAME["idle"], forbidden_events=["connected"]), "attacker: connected"),
        (
            replace(BY_NAME["chunk-bombs"], plans=[Plan(b"x\r\n\r\n", expects="200")]),
            "attacker: wrong responses",
        ),
    ],
    ids=["events", "forbidden", "status"],
)
def test_faults_of_a_scenario_are_errors_of_its_sample(
    scenario: Scenario, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.attack.run.MAX_WAIT", 0.05)
    sample = run_attack(scenario, TINY)
    assert sample.failures[failure] > 0
    assert sample.errors == sum(sample.failures.values())


def test_a_lost_connection_of_an_honest_client_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    leave = AttackRun._leave

    def lose(attack_run: AttackRun, descriptors: int) -> None:
        attack_run.honest.requesters[0].on_disconnect("reset")
        leave(attack_run, descriptors)

    monkeypatch.setattr(AttackRun, "_leave", lose)
    sample = run_attack(BY_NAME["idle"], TINY)
    assert (sample.failures, sample.established) == ({"connection lost": 1}, 3)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, {}),
        ({"events": Counter({"no response": 2})}, {"attacker: no response": 2}),
        ({"held": 9}, {}),  # one more while the server closes another connection
        ({"held": 10}, {"connection over the limit": 1}),
        ({"names": ["large", "bomb", ".reactor-upload-1"]}, {"file left over": 1}),
        ({"code": -11}, {"exit code -11": 1}),
        ({"log": "Traceback (most recent call last)"}, {"traceback": 1}),
    ],
)
def test_faults_are_counted_by_kind(change: dict[str, Any], fault: dict[str, int], tmp_path: Path) -> None:
    known = {"events": Counter("200"), "held": 1, "names": ["large"], "code": 0, "log": "", **change}
    for name in known["names"]:
        (tmp_path / name).touch()
    server: Any = SimpleNamespace(directory=tmp_path, end=lambda: known["code"], log=lambda: known["log"])
    assert +faults(BY_NAME["flood"], TINY, known["events"], known["held"], server) == fault


def test_an_attacker_reconnects_after_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        group = ClientGroup(listener.getsockname(), b"", b"", Reactor())
        events = Counter[str]()
        attacker = Attacker(group, AttackSettings([Plan()]), events, 0)
        attacker.connect_later(0)
        assert group.run(lambda: events["connected"] == 1, 20)
        connection, _ = listener.accept()
        with connection:
            connection.send(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            assert group.run(lambda: events["connected"] == 2, 20)
        attacker.disconnect()
        group.reactor.close()


# The targets, with one wrong figure each.

OBSERVED = {"CPU idle": 0.04, "CPU after": 0.0, "memory kept": 1 << 20, "descriptors kept": 0}
GOOD = Sample(
    *("attack", "slow-heads", "reactor", 1),
    seconds=1,
    intended=100,
    latency=Histogram([0.001] * 100),
    observed=OBSERVED,
)
WRONG = {
    "attack.errors": replace(GOOD, errors=1),
    "attack.p99": replace(GOOD, latency=Histogram([0.001] * 98 + [0.2] * 2)),
    "attack.CPU-idle": replace(GOOD, observed={**OBSERVED, "CPU idle": 0.06}),
    "attack.CPU-after": replace(GOOD, observed={**OBSERVED, "CPU after": 1.0}),
    "attack.memory-kept": replace(GOOD, observed={**OBSERVED, "memory kept": 17 << 20}),
    "attack.descriptors-kept": replace(GOOD, observed={**OBSERVED, "descriptors kept": 1}),
}


def results(*samples: Sample) -> dict[str, str]:
    """Return the verdicts on attacks by the name of their figure."""
    verdicts = evaluate(figures(Run(samples=list(samples))))
    return {each.target.figure: each.result for each in verdicts if each.target.figure.startswith("attack.")}


def test_good_figures_meet_every_target() -> None:
    assert results(GOOD) == dict.fromkeys(WRONG, PASS)
    assert print_results(Run(samples=[GOOD]), None, ()) == 0


@pytest.mark.parametrize("figure", WRONG)
def test_one_bad_attack_misses_its_target_and_fails_the_run(figure: str) -> None:
    samples = [GOOD, replace(WRONG[figure], workload="storm")]
    assert results(*samples) == {**dict.fromkeys(WRONG, PASS), figure: MISSED}
    assert print_results(Run(samples=samples), None, ()) == 1


# The question.


def test_a_scenario_with_peers_is_run_for_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = {**PEERS, "absent": Adapter("absent", [], ["no-such-distribution"])}
    monkeypatch.setattr(attack, "PEERS", peers)
    monkeypatch.setattr(attack, "SCENARIOS", [replace(BY_NAME["storm"], peers=("absent", "reactor +log"))])
    monkeypatch.setattr(attack, "QUICK", TINY)
    saved = Run()
    own = (replace(in_checkout(str(ROOT)), name="before"),)
    attack.measure(Config(quick=True, own=own), saved, lambda _: None)
    assert [each.peer for each in saved.samples] == ["reactor +log"]
    assert saved.skipped == {"absent: storm": peers["absent"].missing()}


def test_chosen_scenarios_are_run_for_each_checkout_if_there_are_enough_descriptors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attack, "raise_open_file_limit", lambda: 100)
    monkeypatch.setattr(attack, "QUICK", TINY)
    saved = Run()
    own = (replace(in_checkout(str(ROOT)), name="before"), by_command("serve {port}"))
    attack.measure(Config(quick=True, workloads=("storm", "idle"), own=own), saved, lambda _: None)
    assert [(each.workload, each.peer) for each in saved.samples] == [
        ("storm", "before"),
        ("storm", "reactor"),
    ]
    assert [each.failures for each in saved.samples] == [{}, {}]
    assert saved.peers["before, storm"].version.startswith("commit ")
    assert "env REACTOR_STALL_TIMEOUT=0.2 " in saved.peers["reactor, storm"].command
    assert saved.skipped == {
        "attack: idle": "open-file limit too low: 100 (ulimit -n)",
        "serve: attack": own[1].why_not,
    }

"""Every attack scenario at a small scale: the server survives, and honest clients are served.

Nothing is measured, and each phase ends as soon as its condition holds. For figures run
``python -m benchmarks.attack``.
"""

from collections.abc import Mapping
from functools import cache

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.attack.run import Outcome, Scale, Scenario, run_attack
from benchmarks.attack.scenarios import SCENARIOS, targets

TINY = Scale(
    share=0.02,
    honest=4,
    interval=0.005,
    before=0,
    attack=0,
    quiet=0,
    after=0,
    timeout=0.2,
    interval_factor=0.05,
    max_wait=20,
    own_core=False,
)
BY_NAME: Mapping[str, Scenario] = {each.name: each for each in SCENARIOS}


@cache
def outcome_of(name: str) -> Outcome:
    """Run a scenario once for all its tests."""
    return run_attack(BY_NAME[name], TINY)


@pytest.fixture(params=BY_NAME)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_attack_takes_effect_and_the_server_survives_it(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.reached, outcome.events
    assert not outcome.traceback
    assert outcome.exit_code == 0


def test_nothing_is_held_afterwards(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.descriptors["after"] == outcome.descriptors["before"]
    assert outcome.leftovers == []


def test_honest_clients_are_answered_and_keep_their_connections(name: str) -> None:
    outcome = outcome_of(name)
    assert len(outcome.times) >= outcome.honest
    assert outcome.errors == 0
    assert outcome.kept == outcome.honest


def test_every_attacker_meets_its_limit_and_no_wrong_answer(name: str) -> None:
    outcome, scenario = outcome_of(name), BY_NAME[name]
    assert "wrong responses" not in outcome.events
    assert "no response" not in outcome.events
    assert not set(scenario.forbidden_events) & set(outcome.events)
    for what, share in scenario.expected_events.items():
        assert outcome.events[what] >= share * outcome.attackers, what


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS if each.max_connections])
def test_no_more_connections_are_held_than_there_are_places(name: str) -> None:
    outcome = outcome_of(name)
    files = outcome.descriptors["attack"] - outcome.descriptors["before"]
    # One more while the server closes another connection.
    assert 0 < files + outcome.honest <= outcome.max_connections + 1


# The targets, with one wrong figure each.

GOOD: dict[str, object] = {
    "attackers": 1,
    "honest": 1,
    "kept": 1,
    "times": [0.001] * 100,
    "reached": True,
    "cpu": {"attack": 1.0, "quiet": 0.04, "after": 0.0},
    "resident": {"before": 0, "attack": 1 << 30, "after": 1 << 20},
    "descriptors": {"before": 9, "attack": 99, "after": 9},
    "exit_code": 0,
}
WRONG: dict[str, dict[str, object]] = {
    "attack took effect": {"reached": False},
    "no errors": {"errors": 1},
    "connections kept": {"kept": 0},
    "p99 under 100 ms": {"times": [0.001] * 98 + [0.2] * 2},
    "CPU attacked but otherwise idle under 5 %": {"cpu": {"quiet": 0.06, "after": 0.0}},
    "CPU after the attack under 5 %": {"cpu": {"quiet": 0.0, "after": 1.0}},
    "memory after the attack within 16 MiB": {"resident": {"before": 0, "after": 17 << 20}},
    "descriptors after the attack as before": {"descriptors": {"before": 9, "attack": 9, "after": 10}},
    "no leftover files": {"leftovers": [".reactor-upload-1"]},
    "expected responses to attackers": {"events": {"wrong responses": 1}},
    "no crash, no traceback": {"exit_code": -11},
}


def missed(outcome: Outcome) -> list[str]:
    return [target.name for target in targets(BY_NAME["slow-heads"], outcome) if not target.met]


def test_good_figures_meet_every_target() -> None:
    assert missed(Outcome(**GOOD)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("target", WRONG)
def test_a_wrong_figure_misses_its_target_and_no_other(target: str) -> None:
    assert missed(Outcome(**{**GOOD, **WRONG[target]})) == [target]  # type: ignore[arg-type]

"""The life of a worker as data, and when one that has ended is replaced."""

import re
import signal

import pytest

from reactor.workers import policy
from reactor.workers.policy import WorkerRecord, WorkerState, describe_end

SHORT, LONG = 1.0, policy.LONG_LIFE


def run_lives(*lives: float) -> list[float]:
    """Return the delay after each of these lifetimes, in seconds."""
    record, now, delays = WorkerRecord(1), 100.0, []
    for life in lives:
        record.start(7, now)
        now += life
        delays.append(record.end(now))
        now += delays[-1]
    return delays


@pytest.mark.parametrize(
    ("lives", "delays"),
    [
        ([SHORT], [0]),
        ([SHORT] * 4, [0, 1, 2, 4]),
        ([SHORT] * 10, [0, 1, 2, 4, 8, 16, 30, 30, 30, 30]),
        ([LONG] * 3, [0, 0, 0]),
        ([SHORT, SHORT, LONG, SHORT, SHORT], [0, 1, 0, 0, 1]),
        ([LONG, SHORT, SHORT], [0, 0, 1]),
    ],
)
def test_delay_grows_with_each_short_life(lives: list[float], delays: list[float]) -> None:
    assert run_lives(*lives) == delays


def test_a_worker_that_was_told_to_stop_is_replaced_at_once() -> None:
    record = WorkerRecord(1)
    for _ in range(3):
        record.start(7, 0.0)
        record.enter(WorkerState.STOPPING)
        assert record.end(0.1) == 0


def test_the_row_of_short_lives_is_described() -> None:
    record = WorkerRecord(2)
    for start in (100.0, 101.0, 104.0):
        record.start(7, start)
        delay = record.end(start + 0.5)
    assert record.describe_row(104.5, delay) == ("worker 2 keeps ending: 3 times in 4.5 s; next start in 2 s")
    assert record.restarts == 2


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "has stopped"),
        (3 << 8, "ended with exit code 3"),
        (signal.SIGSEGV, "was killed by SIGSEGV"),
        (signal.SIGSEGV | 0x80, "was killed by SIGSEGV"),  # with a core dump
        (40, "was killed by signal 40"),
    ],
)
def test_the_end_of_a_process_is_described(status: int, text: str) -> None:
    assert describe_end(status) == text


def test_the_table_of_states_is_that_of_the_enum() -> None:
    rows = re.findall(r"^    ([A-Z]+) .*?((?: [A-Z]{6,})+)$", str(policy.__doc__), re.MULTILINE)
    assert {name: set(successors.split()) for name, successors in rows} == {
        each.name: {successor.name for successor in each.successors} for each in WorkerState
    }


@pytest.mark.parametrize("before", WorkerState)
@pytest.mark.parametrize("after", WorkerState)
def test_only_successors_may_follow(before: WorkerState, after: WorkerState) -> None:
    record = WorkerRecord(1)
    record.state = before
    if after in before.successors:
        record.enter(after)
        assert record.state is after
    else:
        with pytest.raises(AssertionError):
            record.enter(after)

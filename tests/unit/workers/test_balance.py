"""The numbers of connections of all workers."""

import pytest

from reactor.workers.balance import ABSENT, ConnectionCounts


@pytest.mark.parametrize(
    ("others", "own", "ahead"),
    [
        ([0], 1, False),
        ([0], 2, True),
        ([7], 8, False),
        ([7], 9, True),
        ([400], 451, False),
        ([400], 452, True),
        ([500, 400], 452, True),
        ([500, 400], 400, False),
        ([ABSENT, 400], 452, True),
        ([ABSENT, ABSENT], 10_000, False),
    ],
)
def test_a_worker_is_ahead_of_the_one_with_the_fewest(others: list[int], own: int, ahead: bool) -> None:
    counts = ConnectionCounts(len(others) + 1)
    for number, each in enumerate(others, 2):
        counts.set(number, each)
    assert counts.is_ahead(1, own) is ahead


def test_a_worker_that_has_ended_is_ignored() -> None:
    counts = ConnectionCounts(2)
    counts.set(2, 0)
    assert counts.is_ahead(1, 5)
    counts.remove(2)
    assert not counts.is_ahead(1, 5)


def test_the_own_number_is_noted_for_the_others() -> None:
    counts = ConnectionCounts(2)
    counts.is_ahead(1, 3)
    assert counts.is_ahead(2, 5)
    assert not counts.is_ahead(2, 4)

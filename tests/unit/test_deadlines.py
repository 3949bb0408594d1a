"""Deadlines: cheap to move, called once and in order, and stale entries are removed."""

import random
from math import inf

import pytest

from reactor.deadlines import Deadlines

# The heap may hold as many stale entries as live ones, and a few more.
FEW = 200


class Item:
    """A minimal object that can be scheduled."""

    def __init__(self, name: str = "", deadline: float = inf) -> None:
        self.name = name
        self.deadline = deadline
        self.reactor_deadline = inf

    def __repr__(self) -> str:
        return f"<{self.name}>"


def schedule(deadlines: Deadlines[Item], *times: float) -> list[Item]:
    items = [Item(str(number), when) for number, when in enumerate(times)]
    for item in items:
        deadlines.schedule(item)
    return items


def move(deadlines: Deadlines[Item], item: Item, when: float) -> None:
    """Change a deadline, as the reactor does."""
    item.deadline = when
    if item.deadline < item.reactor_deadline:
        deadlines.schedule(item)


def pop_due(deadlines: Deadlines[Item], now: float) -> list[Item]:
    """Remove the handlers that are due; they set no new deadline."""
    taken = []
    for item in deadlines.due(now):
        item.deadline = inf
        taken.append(item)
    return taken


def test_without_items_the_earliest_deadline_is_never() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    assert deadlines.earliest() == inf
    assert pop_due(deadlines, 1e9) == []


def test_due_items_are_returned_once_in_order() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    late, early, middle, never = schedule(deadlines, 3, 1, 2, 4)
    assert deadlines.earliest() == 1
    assert pop_due(deadlines, 3) == [early, middle, late]
    assert pop_due(deadlines, 3) == []
    assert deadlines.earliest() == 4
    assert pop_due(deadlines, 3.999) == []
    assert pop_due(deadlines, 4) == [never]


def test_equal_deadlines_keep_the_order_of_scheduling() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    items = schedule(deadlines, *[7] * 50)
    assert pop_due(deadlines, 7) == items


def test_a_deadline_may_move_later_without_a_call() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    first, second = schedule(deadlines, 10, 15)
    for when in range(11, 21):
        first.deadline = when
    assert deadlines.earliest() == 15
    assert pop_due(deadlines, 19) == [second]
    assert deadlines.earliest() == 20
    assert pop_due(deadlines, 20) == [first]


def test_a_deadline_moved_earlier_replaces_the_old_one() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    (item,) = schedule(deadlines, 10)
    move(deadlines, item, 5)
    assert deadlines.earliest() == 5
    assert pop_due(deadlines, 5) == [item]
    assert pop_due(deadlines, 10) == []


def test_a_forgotten_deadline_is_never_due() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    first, second = schedule(deadlines, 1, 2)
    deadlines.forget(first)
    deadlines.forget(first)
    assert deadlines.earliest() == 2
    assert pop_due(deadlines, 2) == [second]


def test_a_deadline_moved_to_never_is_not_due() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    (item,) = schedule(deadlines, 1)
    item.deadline = inf
    assert deadlines.earliest() == inf
    assert pop_due(deadlines, 1) == []
    assert len(deadlines) == 0


# Stale entries.


@pytest.mark.parametrize("times", ["rising", "falling", "equal"])
def test_many_short_lived_items_leave_no_entries(times: str) -> None:
    deadlines: Deadlines[Item] = Deadlines()
    schedule(deadlines, 5)  # so that looking at the earliest finds no later stale entry
    most = 0
    for number in range(100_000):
        item = Item(deadline={"rising": 10 + number, "falling": 1e6 - number, "equal": 10}[times])
        deadlines.schedule(item)
        deadlines.forget(item)
        most = max(most, len(deadlines))
    assert most < FEW
    assert deadlines.earliest() == 5


def test_stale_entries_are_at_most_as_many_as_live_ones() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    alive = schedule(deadlines, *range(1000, 2000))
    most = 0
    for number in range(100_000):
        deadlines.forget(alive[number % 1000])
        alive[number % 1000] = item = Item(deadline=1000 + number)
        deadlines.schedule(item)
        most = max(most, len(deadlines))
    assert most < 2 * 1000 + FEW
    assert pop_due(deadlines, 1e9) == sorted(alive, key=lambda item: item.deadline)
    assert len(deadlines) == 0


def test_many_moves_earlier_leave_no_entries() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    schedule(deadlines, 0.5)
    item = Item()
    most = 0
    for number in range(100_000):
        move(deadlines, item, 1e6 - number)
        most = max(most, len(deadlines))
    assert most < FEW


def test_many_moves_later_leave_no_entries() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    (item,) = schedule(deadlines, 1)
    for number in range(100_000):
        move(deadlines, item, 1 + number)
        deadlines.earliest()
        assert len(deadlines) == 1


# Three handlers, so four entries would do; the clock has not moved, so all times are equal.
@pytest.mark.parametrize(("stays", "passes"), [(1, 1), (2, 20), (3, 20), (20, 3)])
def test_rescheduling_at_one_time_leaves_no_entries(stays: int, passes: int) -> None:
    deadlines: Deadlines[Item] = Deadlines()
    _, staying = schedule(deadlines, 5, 10)
    passing = Item(deadline=10)
    most = 0
    for _ in range(5_000):
        for _ in range(stays):
            deadlines.forget(staying)
            deadlines.schedule(staying)
        for _ in range(passes):
            deadlines.schedule(passing)
            deadlines.forget(passing)
        most = max(most, len(deadlines))
    assert most < FEW
    assert pop_due(deadlines, 10)[1:] == [staying]


# Comparison with a simple reference implementation.


@pytest.mark.parametrize("seed", range(5))
def test_random_changes_agree_with_a_plain_list(seed: int) -> None:
    chance = random.Random(seed)
    deadlines: Deadlines[Item] = Deadlines()
    items = [Item(str(number)) for number in range(40)]
    now = 0.0
    fired = 0
    for _ in range(5_000):
        item = chance.choice(items)
        match chance.randrange(4):
            case 0 | 1:
                move(deadlines, item, now + chance.randrange(1, 50))
            case 2:
                item.deadline = inf
                deadlines.forget(item)
            case 3:
                now += chance.randrange(4)
                expected = {each.name for each in items if each.deadline <= now}
                taken = pop_due(deadlines, now)
                assert sorted(each.name for each in taken) == sorted(expected)
                fired += len(taken)
        earliest = min(each.deadline for each in items)
        assert deadlines.earliest() == earliest
        assert len(deadlines) < 2 * len(items) + FEW
    assert fired > 500


class CountingDeadlines(Deadlines[Item]):
    """Deadlines that count how often one is scheduled."""

    scheduled = 0

    def on_scheduled(self, handler: Item) -> None:
        self.scheduled += 1


def test_items_that_are_left_when_the_loop_stops_are_not_moved() -> None:
    deadlines = CountingDeadlines()
    first, *others = schedule(deadlines, *range(1000))
    due = deadlines.due(1000)
    assert next(due) is first
    first.deadline = inf
    due.close()
    assert deadlines.scheduled == 1000, "only by the test"
    assert pop_due(deadlines, 1000) == others


def test_a_deadline_in_the_past_is_due_in_the_next_turn() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    first, removed, last = schedule(deadlines, 1, 2, 3)
    taken = []
    for item in deadlines.due(3):
        taken.append(item)
        if item is first:
            move(deadlines, first, 0)
            move(deadlines, removed, 2.5)
            move(deadlines, removed, 1.5)
        elif item is last:
            removed.deadline = inf
            deadlines.forget(removed)
    assert taken == [first, last]
    assert pop_due(deadlines, 3) == [first]
    assert deadlines.earliest() == inf
    assert len(deadlines) == 0

"""Latency at 50, 70 and 90 % of a server's capacity, which a closed loop on 64 connections finds first.

A rate that our load generator cannot send is skipped, with a note.
"""

from collections import defaultdict
from collections.abc import Iterator

from benchmarks.load import wrk
from benchmarks.load.process import LoadError
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn

SHARES = (0.5, 0.7, 0.9)
TRIES = 3  # rounds to find the capacity, at most
OURS_AT_MOST = 0.9  # share of our own client's closed-loop rate that an open loop may use

Capacity = dict[str, float]  # the highest rate of each client in a closed loop, in requests per second


def find_capacity(turn: Turn, capacity: Capacity) -> Iterator[Sample]:
    """Yield a sample of our own client, and one of wrk, if installed."""
    for client in ("reactor", "wrk") if wrk.missing() is None else ("reactor",):
        sample = turn.sample(client, name="capacity")
        capacity[client] = max(capacity.get(client, 0.0), sample.rate)
        yield sample


def share_of(capacity: Capacity, share: float) -> float:
    """Return a share of the highest rate; raise LoadError when our client cannot send that rate."""
    rate = share * max(capacity.values(), default=0.0)
    if not rate:
        raise LoadError("unknown capacity")
    if rate > OURS_AT_MOST * capacity["reactor"]:
        raise LoadError(f"rate too high for our client: {rate:,.0f} requests/s")
    return rate


def places(config: Config, run: Run) -> list[Place]:
    """Return the place that finds the capacities, and a place per share of them."""
    capacities: defaultdict[str, Capacity] = defaultdict(dict)

    def at(share: float) -> Place:
        def measure(turn: Turn) -> Iterator[Sample]:
            yield turn.sample("reactor", rate=share_of(capacities[turn.server.name], share), x=share)

        return Place(f"{share:.0%} of capacity", measure)

    find = Place("capacity", lambda turn: find_capacity(turn, capacities[turn.server.name]), rounds=TRIES)
    return [find, *map(at, SHARES)]


QUESTION = Question("latency", places, ("reactor", "nginx", "uvicorn"))
measure = QUESTION.measure

"""The state table as data: what the page shows of each state, and which states may follow it.

Interest and timeout are read from ``reactor.server.connection.State``; what happens on timeout and the
successors are below, one line for each state. Nothing is parsed at run time, so ``python -OO`` shows the
same table. A test compares it with the docstring of ``reactor.server.connection``.
"""

from typing import NamedTuple

from reactor.server.connection import State


class Row(NamedTuple):
    """One row of the state table, in its own words."""

    waits_for: str
    deadline: str
    when_it_passes: str
    then: tuple[str, ...]


# By the name of a state: what happens on timeout, and the successors.
_ON_TIMEOUT_AND_SUCCESSORS = {
    "ACCEPTED": ("close", "RECEIVING_HEAD RECEIVING_CONTENT CONTINUING RESPONDING DRAINING CLOSED"),
    "IDLE": ("close", "RECEIVING_HEAD RECEIVING_CONTENT CONTINUING RESPONDING DRAINING CLOSED"),
    "RECEIVING_HEAD": ("answer 408", "RECEIVING_CONTENT CONTINUING RESPONDING IDLE CLOSED"),
    "CONTINUING": ("reset", "RECEIVING_CONTENT CLOSED"),
    "RECEIVING_CONTENT": ("answer 408", "RESPONDING CLOSED"),
    "RESPONDING": (
        "reset",
        "IDLE RECEIVING_HEAD RECEIVING_CONTENT CONTINUING WAITING DRAINING CLOSED",
    ),
    "WAITING": ("-", "RESPONDING CLOSED"),
    "DRAINING": ("close", "CLOSED"),
    "CLOSED": ("-", ""),
}


def state_table() -> dict[str, Row]:
    """Return the rows by the name of their state, in the order of the enum; "-" where there is nothing."""
    rows = {}
    for state in State:
        on_timeout, successors = _ON_TIMEOUT_AND_SUCCESSORS[state.name]
        interest = state.interest.name if state.interest else "-"
        rows[state.name] = Row(interest, state.timeout or "-", on_timeout, tuple(successors.split()))
    return rows

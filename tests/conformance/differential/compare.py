"""Comparing two readings: every way in which they differ, up to the point where they part.

A ``Difference`` knows what is needed to decide which side is right: the bytes from the message at fault
on, and what each side made of it. Whether it is a fault is decided in ``disagreements.py``.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from tests.conformance.differential.reading import End, Message, Reading


class DifferenceKind(Enum):
    """In what two readings differ."""

    METHOD = "method"
    TARGET = "target"
    FIELDS = "fields"
    PERSISTENCE = "persistence"
    CONTENT = "content"
    ONLY_WE_REFUSE = "only we refuse"
    ONLY_THEY_REFUSE = "only they refuse"
    LENGTH = "different end"  # one of the two wants more bytes, or has seen another message


class Difference(NamedTuple):
    """One difference: in what, with whom, and in which message.

    ``data`` begin with that message, ``previous`` with the one before it. ``ours`` and ``theirs`` are
    the messages, or None where a side has none; ``before`` is the message before them. The readings
    say how each side ended.
    """

    kind: DifferenceKind
    oracle: str
    data: bytes
    previous: bytes
    before: Message | None
    ours: Message | None
    theirs: Message | None
    our_reading: Reading
    their_reading: Reading


Translate = Callable[[str, Message, Message], Message]


def differences(
    data: bytes, oracle: str, ours: Reading, theirs: Reading, translate: Translate
) -> Iterator[Difference]:
    """Compare message by message; go no further than the first with a difference.

    ``translate`` brings a message of theirs into our words.
    """
    for i in range(max(len(ours.messages), len(theirs.messages)) + 1):
        our = ours.messages[i] if i < len(ours.messages) else None
        their = theirs.messages[i] if i < len(theirs.messages) else None
        if our is not None and their is not None:
            their = translate(oracle, our, their)
        before = ours.messages[i - 1] if 0 < i <= len(ours.messages) else None
        starts = [ours.starts[min(max(at, 0), len(ours.starts) - 1)] for at in (i, i - 1)]
        tail, previous = (data[start:] for start in starts)
        found = list(_kinds(our, their, ours.end, theirs.end))
        for kind in found:
            yield Difference(kind, oracle, tail, previous, before, our, their, ours, theirs)
        if found:
            return


def _kinds(
    our: Message | None, their: Message | None, our_end: End, their_end: End
) -> Iterator[DifferenceKind]:
    if our is not None and their is not None:
        if our.method != their.method:
            yield DifferenceKind.METHOD
        if our.target != their.target:
            yield DifferenceKind.TARGET
        if our.fields != their.fields:
            yield DifferenceKind.FIELDS
        if our.keep_alive != their.keep_alive:
            yield DifferenceKind.PERSISTENCE
        if their_end is End.STOPPED and their.content in (None, b""):
            return  # it has handed the connection over
        if our.content is not None and their.content is not None:
            if our.content != their.content:
                yield DifferenceKind.CONTENT
            return
    if _unfinished(our) and _unfinished(their):
        yield from _ends(our_end, their_end)
    elif _unfinished(our) and our_end is End.REFUSED:
        yield DifferenceKind.ONLY_WE_REFUSE
    elif _unfinished(their) and their_end is End.REFUSED:
        yield DifferenceKind.ONLY_THEY_REFUSE
    elif their_end is not End.STOPPED:
        yield DifferenceKind.LENGTH


def _unfinished(message: Message | None) -> bool:
    return message is None or message.content is None


def _ends(our_end: End, their_end: End) -> Iterator[DifferenceKind]:
    """Compare how two readings ended that came equally far."""
    if our_end is their_end or their_end is End.STOPPED:
        return
    if our_end is End.REFUSED:
        yield DifferenceKind.ONLY_WE_REFUSE
    elif their_end is End.REFUSED:
        yield DifferenceKind.ONLY_THEY_REFUSE
    else:
        yield DifferenceKind.LENGTH

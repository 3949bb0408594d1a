"""The mailbox: numbers from any thread become calls in the reactor's turn."""

import threading

from reactor.signals import Mailbox
from tests.handlers.shared import no_descriptor_leaks
from tests.loop_kit import Rig
from tests.process import PATIENCE


class Named(Mailbox):
    """A mailbox with a name, which the selector of a rig sorts by."""

    name = "a"


def test_what_is_posted_is_told_in_the_turn_and_in_order() -> None:
    told: list[int] = []
    mailbox = Named(told.append)
    with Rig() as rig:
        rig.reactor.register(mailbox)
        for number in (0, 255, 7):
            mailbox.post(number)
        assert told == []
        rig.turn()
        assert told == [0, 255, 7]
        rig.turn()
        assert told == [0, 255, 7]
        rig.reactor.remove(mailbox)
        mailbox.close()


def test_another_thread_may_post() -> None:
    told: list[int] = []
    mailbox = Named(told.append)
    with Rig() as rig:
        rig.reactor.register(mailbox)
        thread = threading.Thread(target=mailbox.post, args=(3,))
        thread.start()
        thread.join(PATIENCE)
        rig.turn()
        rig.reactor.remove(mailbox)
        mailbox.close()
    assert told == [3]


def test_a_mailbox_full_of_numbers_takes_no_more_and_blocks_nobody() -> None:
    told: list[int] = []
    mailbox = Named(told.append)
    with Rig() as rig:
        rig.reactor.register(mailbox)
        for _ in range(100_000):
            mailbox.post(1)
        while mailbox_turn(rig, told):
            pass
        assert 0 < len(told) < 100_000
        mailbox.post(2)
        rig.turn()
        assert told[-1] == 2
        rig.reactor.remove(mailbox)
        mailbox.close()


def mailbox_turn(rig: Rig, told: list[int]) -> bool:
    """Take a turn; return whether anything was told in it."""
    before = len(told)
    rig.turn()
    return len(told) > before


def test_a_closed_mailbox_takes_nothing_and_leaves_nothing_open() -> None:
    told: list[int] = []
    with no_descriptor_leaks():
        mailbox = Named(told.append)
        mailbox.close()
        mailbox.post(1)
    assert told == []


def test_a_mailbox_that_is_not_readable_after_all_tells_nothing() -> None:
    told: list[int] = []
    mailbox = Named(told.append)
    mailbox.on_readable()
    mailbox.close()
    assert told == []

"""The channel: messages arrive whole and in order, whatever the kernel takes at once."""

import socket

import pytest

from reactor.event_handler import Interest
from reactor.http11.body import JSONValue
from reactor.loop import Reactor
from reactor.workers.channel import MAX_MESSAGE, Channel, Kind, pack, unpack
from tests.support.in_process import EagerSelector

MESSAGES: list[tuple[Kind, JSONValue]] = [
    (Kind.READY, ["a line", "é"]),
    (Kind.STOP, None),
    (Kind.MEASURED, [["name", 1.5, []]]),
    (Kind.ALIVE, None),
]


class Pair:
    """Two ends of a channel in one reactor, and what arrives at the second one."""

    def __init__(self) -> None:
        self.reactor = Reactor(EagerSelector())
        self.arrived: list[tuple[Kind, JSONValue]] = []
        self.ends = 0
        one, other = socket.socketpair()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.one = Channel(one, self.reactor, lambda kind, value: None, lambda: None)
        self.other = Channel(other, self.reactor, lambda *message: self.arrived.append(message), self._end)

    def _end(self) -> None:
        self.ends += 1

    def run(self, turns: int = 20) -> None:
        for _ in range(turns):
            self.reactor.turn()

    def close(self) -> None:
        self.one.close()
        self.other.close()
        self.reactor.close()


def test_messages_arrive_in_order() -> None:
    pair = Pair()
    for message in MESSAGES:
        assert pair.one.send(*message)
    pair.run()
    assert pair.arrived == MESSAGES
    pair.close()


def test_a_message_larger_than_the_socket_buffer_arrives_whole() -> None:
    pair = Pair()
    value: JSONValue = ["x" * 1_000_000]
    pair.one.send(Kind.MEASURED, value)
    pair.one.send(Kind.ALIVE)
    assert pair.arrived == []
    pair.run(2000)
    assert pair.arrived == [(Kind.MEASURED, value), (Kind.ALIVE, None)]
    pair.close()


def test_the_end_is_reported_once_after_the_last_message() -> None:
    pair = Pair()
    pair.one.send(Kind.READY, [])
    pair.one.close()
    pair.run()
    assert (pair.arrived, pair.ends) == ([(Kind.READY, [])], 1)
    assert not pair.one.send(Kind.ALIVE)
    pair.close()


def test_a_message_to_an_ended_process_is_dropped() -> None:
    pair = Pair()
    pair.other.close()
    pair.one.send(Kind.ALIVE)
    assert pair.one.interest is Interest.READ  # which reports the end
    pair.close()


def test_the_rest_is_received_after_the_other_process_has_ended() -> None:
    pair = Pair()
    pair.one.send(Kind.FAILED, ["why", ""])
    pair.other.send(Kind.STOP)  # unread by the other end: the socket reports ECONNRESET afterwards
    pair.one.close()
    pair.other.receive_rest()
    assert pair.arrived == [(Kind.FAILED, ["why", ""])]
    pair.close()


def test_unsent_messages_are_bounded() -> None:
    pair = Pair()
    assert pair.one.send(Kind.MEASURED, "x" * (MAX_MESSAGE - 100))
    sent = [pair.one.send(Kind.MEASURED, "x" * 1_000_000) for _ in range(3)]
    assert sent == [False] * 3
    pair.run(20_000)
    assert len(pair.arrived) == 1
    assert pair.one.send(Kind.ALIVE)
    pair.close()


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_complete_only_with_its_last_byte(message: tuple[Kind, JSONValue]) -> None:
    data = pack(*message)
    for end in range(len(data)):
        buffer = bytearray(data[:end])
        assert unpack(buffer) is None
        assert buffer == data[:end]
    buffer = bytearray(data + data[:3])
    assert unpack(buffer) == message
    assert buffer == data[:3]


@pytest.mark.parametrize("data", [b"\xff\0\0\0\0", b"\x01\xff\xff\xff\xff"])
def test_an_invalid_message_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"255|too long"):
        unpack(bytearray(data))

"""The parser: many requests received at once."""

from typing import Any

from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings
from tests.unit.http11.deliver import deliver, get, post

MANY = 2500


def pipelined(count: int) -> bytes:
    return b"".join(get(target=b"/%d" % i) for i in range(count))


def test_thousands_of_pipelined_requests_keep_their_order() -> None:
    outcome = deliver([pipelined(MANY)])
    assert outcome.targets == [f"/{i}" for i in range(MANY)]
    assert outcome.phase is Phase.IDLE


def test_pipelined_requests_split_anywhere_keep_their_order() -> None:
    data = pipelined(MANY)
    outcome = deliver(data[i : i + 4096] for i in range(0, len(data), 4096))
    assert outcome.targets == [f"/{i}" for i in range(MANY)]


def test_pipelined_requests_with_bodies_keep_their_order() -> None:
    data = b"".join(post(b"Content-Length: 4", content=b"%04d" % i) for i in range(MANY))
    assert deliver([data]).contents == [b"%04d" % i for i in range(MANY)]


def test_empty_lines_are_counted_separately_for_each_request() -> None:
    outcome = deliver([b"".join(b"\r\n" * 4 + get(target=b"/%d" % i) for i in range(100))])
    assert outcome.targets == [f"/{i}" for i in range(100)]


class CountedBytes(bytes):
    """Bytes that count how many of them are copied by slicing."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        piece = super().__getitem__(key)
        if isinstance(key, slice):
            CountedBytes.copied += len(piece)
            if len(piece) > 4096:  # later copies of a long slice are counted, too
                return CountedBytes(piece)
        return piece


def test_a_large_feed_is_copied_a_bounded_number_of_times() -> None:
    CountedBytes.copied = 0
    data = CountedBytes(pipelined(MANY))
    parser = Parser(HeadReader(Settings()))
    parser.feed(data)
    count = 0
    while parser.next_request() is not None:
        count += 1
    assert count == MANY
    assert CountedBytes.copied <= 3 * len(data)


def test_feeding_more_keeps_buffered_requests() -> None:
    parser = Parser(HeadReader(Settings()))
    targets = []
    for i in range(50):
        parser.feed(get(target=b"/%d" % (2 * i)) + get(target=b"/%d" % (2 * i + 1)))
        request = parser.next_request()
        assert request is not None
        targets.append(request.path)
    while (request := parser.next_request()) is not None:
        targets.append(request.path)
    assert targets == [f"/{i}" for i in range(100)]


def test_requests_after_the_last_are_ignored() -> None:
    last = get(b"Connection: close", target=b"/last")
    for following in (get(), b"\0\0\0", b"GET / HTTP/9.9\r\n\r\n", b"x" * 40_000):
        outcome = deliver([last + following, following])
        assert (outcome.targets, outcome.status, outcome.phase) == (["/last"], None, Phase.ENDED)


def test_requests_before_a_refused_one_are_returned_first() -> None:
    outcome = deliver([get(target=b"/1") + get(target=b"/2") + b"BAD\r\n\r\n" + get(target=b"/3")])
    assert (outcome.targets, outcome.status) == (["/1", "/2"], 400)

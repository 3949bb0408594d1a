"""The cache of heads: exact and bounded; no request affects another."""

import pytest

from reactor.http11.cache import BoundedCache
from reactor.http11.chunked import ChunkedReader
from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.message import Request
from reactor.http11.parser import Parser
from reactor.settings import Settings
from tests.unit.http11.deliver import get

Meaning = tuple[object, ...]

GOOD = [
    b"HTTP/1.1\r\nHost: x",
    b"HTTP/1.0\r\nHost: x",
    b"HTTP/1.0",
    b"HTTP/1.1\r\nHost: X",
    b"HTTP/1.1\r\nhost: x",
    b"HTTP/1.1\r\nHost:x",
    b"HTTP/1.1\r\nHost: x\r\nConnection: close",
    b"HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, CLOSE",
    b"HTTP/1.0\r\nHost: x\r\nConnection: keep-alive",
    b"HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive, upgrade",
    b"HTTP/1.1\r\nHost: x\r\nConnection: closed",
    b"HTTP/1.1\r\nHost: x\r\nContent-Length: 5",
    b"HTTP/1.1\r\nContent-Length: 5\r\nHost: x",
    b"HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue",
    b"HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue",
    b"HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip",
    b"HTTP/1.1\r\nHost: x\r\nAccept-Encoding: x-gzip",
    b"HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=0",
    b"HTTP/1.1\r\nHost: x\r\nA: 1\r\nA: 2\r\nB: 3",
    b"HTTP/1.1\r\nHost: x\r\nA: 2\r\nA: 1\r\nB: 3",
    b"HTTP/1.1\r\nHost: x\r\nA:\r\nB: " + b"v" * 3000,
    b"HTTP/1.1\r\nHost: x\r\nX-Text: caf\xe9",
]
BAD = [
    b"HTTP/1.1",
    b"HTTP/2.0\r\nHost: x",
    b"HTTP/1.10\r\nHost: x",
    b"HTTP/1.1\r\nHost: x\r\nHost: x",
    b"HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5",
    b"HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    b"HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
    b"HTTP/1.1\r\nHost: x\r\nA : b",
    b"HTTP/1.1\r\nHost: x\r\nA: b\r\n c",
    b"HTTP/1.1\r\nHost: x\r\nA",
    b"HTTP/1.1\r\nHost: a b",
    b"HTTP/1.1\r\nHost: x\r\nExpect: x",
    b"HTTP/1.1\r\nHost: x\r\nA: " + b"v" * 9000,
    b"HTTP/1.1\r\nHost: x" + b"\r\nA: b" * 100,
]


def meaning(request: Request) -> Meaning:
    head, lines = request.head, tuple(request.headers.lines)
    return head.version, lines, head.length, head.keep_alive, head.expects_continue, head.coding


def read(reader: HeadReader, data: bytes) -> Meaning:
    """Parse a head from its version on; return its meaning, or the error."""
    parser = Parser(reader)
    parser.feed(b"GET / " + data + b"\r\n\r\n")
    try:
        request = parser.next_request()
    except ProtocolError as error:
        return error.status, error.reason
    assert request is not None
    return meaning(request)


def fresh(data: bytes) -> Meaning:
    return read(HeadReader(Settings()), data)


def test_the_samples_are_valid_and_invalid() -> None:
    assert all(len(fresh(data)) == 6 for data in GOOD)
    assert all(len(fresh(data)) == 2 for data in BAD)


@pytest.mark.parametrize("order", [1, -1])
def test_a_caching_reader_agrees_with_a_fresh_one(order: int) -> None:
    reader = HeadReader(Settings())
    for _ in range(3):
        for data in (GOOD + BAD)[::order]:
            assert read(reader, data) == fresh(data)


def test_lines_mean_the_same_in_other_heads() -> None:
    reader = HeadReader(Settings())
    for first in GOOD:
        for second in GOOD:
            data = first + second.partition(b"Host: x")[2]
            assert read(reader, data) == fresh(data)


ENDS = [
    *(b"X-Request-Id: %d" % i for i in range(3)),
    b"a: 1",
    b"A: 2",
    b"Host: y",
    b"hOST: y",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Expect: something else",
    b"Accept-Encoding: gzip",
    b" folded",
    b"no colon",
    b"space : 1",
    b"control: \x01",
    b"long: " + b"v" * 9000,
]


@pytest.mark.parametrize("front", GOOD)
def test_a_last_line_is_parsed_in_every_head(front: bytes) -> None:
    reader = HeadReader(Settings())
    for _ in range(2):
        for last in ENDS:
            data = front + b"\r\n" + last
            assert read(reader, data) == fresh(data)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_line_limit_applies_to_repeated_lines(limit: int) -> None:
    reader = HeadReader(Settings(max_fields=limit))
    data = b"HTTP/1.1\r\nHost: x"
    for count in range(1, 5):
        for i in range(4):
            found = read(reader, b"%b\r\nA: %d" % (data, i))
            assert (found[0] == 431) == (count + 1 > limit)
        data += b"\r\nA: b"


def test_limits_apply_to_cached_heads() -> None:
    reader = HeadReader(Settings(max_fields=3, max_field_line=20))
    line = b"\r\nA: " + b"v" * 17
    assert read(reader, b"HTTP/1.1\r\nHost: x" + line) == read(reader, b"HTTP/1.1\r\nHost: x" + line)
    for _ in range(2):
        assert len(read(reader, b"HTTP/1.1\r\nHost: x" + line * 2)) == 6
        assert read(reader, b"HTTP/1.1\r\nHost: x" + line * 3)[0] == 431
        assert read(reader, b"HTTP/1.1\r\nHost: x" + line + b"v")[0] == 431


def test_a_cache_is_bounded_in_entries() -> None:
    cache: BoundedCache[bytes, int] = BoundedCache(max_entries=10, max_length=8)
    for i in range(1000):
        cache.put(b"%d" % i, i)
        cache.put(b"%d" % i, i)
        assert len(cache) <= 10
        assert cache[b"%d" % i] == i
    assert all(cache[key] == int(key) for key in cache)


def test_a_cache_ignores_long_keys() -> None:
    cache: BoundedCache[bytes, int] = BoundedCache(max_entries=10, max_length=8)
    for data in (b"12345678", b"123456789"):
        cache.put(data, 1)
        cache.put(data, 1)
    assert dict(cache) == {b"12345678": 1}


def test_keys_seen_once_evict_nothing() -> None:
    cache: BoundedCache[bytes, int] = BoundedCache(max_entries=10, max_length=8)
    cache.put(b"often", 0)
    cache.put(b"often", 0)
    for i in range(1000):
        cache.put(b"%d" % i, i)
        assert len(cache) <= 10
        assert len(cache._seen_once) == 10
    assert dict(cache) == {b"often": 0}


def caches(reader: HeadReader) -> list[BoundedCache[bytes, object]]:
    values = [getattr(reader, name) for name in type(reader).__slots__]
    return [value for value in values if isinstance(value, BoundedCache)]


def test_all_caches_of_a_reader_are_bounded() -> None:
    reader = HeadReader(Settings())
    for i in range(6000):
        for _ in range(2):
            read(reader, b"HTTP/1.1\r\nHost: x\r\nA: %d\r\nB: %d%b" % (i, i, b"v" * (i % 3000)))
            ChunkedReader(reader).read(b"1;a=%d%b\r\n" % (i, b"v" * (i % 100)), 0)
    assert len(caches(reader)) == 2
    for cache in caches(reader):
        assert 0 < len(cache) <= cache.max_entries
        assert max(map(len, cache)) <= cache.max_length
    assert sum(cache.max_entries * cache.max_length for cache in caches(reader)) <= 2 * 1024 * 1024


def test_requests_with_the_same_head_share_no_mutable_state() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(get(b"A: b") * 2)
    first, second = parser.next_request(), parser.next_request()
    assert first is not None
    assert second is not None
    with pytest.raises(TypeError):
        first.params["name"] = "secret"  # type: ignore[index]
    first.content = b"secret"
    first.headers.lines.append(("X", "secret"))
    first.headers.get_all("a").append("secret")
    with pytest.raises((AttributeError, TypeError)):
        first.target.segments[0] = "secret"  # type: ignore[index]
    assert second.content == b""
    assert "secret" not in f"{second.params} {second.headers} {second.target.segments}"
    assert second.headers.lines == [("Host", "x"), ("A", "b")]


def test_the_same_fields_follow_another_request_line() -> None:
    reader = HeadReader(Settings())
    lines = [
        b"%b %b HTTP/1.1" % each
        for each in ((b"GET", b"/a"), (b"HEAD", b"/a"), (b"GET", b"/b?c"), (b"get", b"/a"))
    ]
    for line in lines * 3:
        parser = Parser(reader)
        parser.feed(line + b"\r\nHost: x\r\n\r\n")
        request = parser.next_request()
        assert request is not None
        assert f"{request.method} {request.target} {request.version}".encode() == line


def test_an_invalid_target_is_refused_after_the_same_fields() -> None:
    reader = HeadReader(Settings())
    for target in (b"/", b"/%zz", b"/", b"/%zz", b"*", b"/"):
        parser = Parser(reader)
        parser.feed(get(target=target))
        if target == b"/":
            assert parser.next_request() is not None
        else:
            with pytest.raises(ProtocolError):
                parser.next_request()


def test_an_absolute_form_does_not_change_the_host_of_later_requests() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(get() + get(target=b"http://other/") + get() + get(target=b"http://third/"))
    hosts = []
    while (request := parser.next_request()) is not None:
        hosts.append(request.headers["host"])
    assert hosts == ["x", "other", "x", "third"]


def test_connections_can_share_a_reader() -> None:
    reader = HeadReader(Settings())
    one, other = Parser(reader), Parser(reader)
    one.feed(get(b"Cookie: one")[:-2])
    other.feed(get(b"Cookie: other")[:-2])
    assert one.next_request() is None
    assert other.next_request() is None
    one.feed(b"\r\n")
    other.feed(b"\r\n")
    requests = [one.next_request(), other.next_request()]
    assert [request and request.headers["cookie"] for request in requests] == ["one", "other"]

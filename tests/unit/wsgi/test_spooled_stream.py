"""The output of a thread: in memory, in a file, and waiting; nothing is lost, and a wait always ends."""

import errno
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reactor.wsgi import spooled_stream
from reactor.wsgi.spooled_stream import SpooledStream
from tests.support.process import TIMEOUT

LIMIT, SPOOL = 1000, 8000


def small() -> SpooledStream:
    return SpooledStream(limit=LIMIT, max_spooled=SPOOL)


@contextmanager
def thread(stream: SpooledStream, *blocks: bytes) -> Iterator[threading.Thread]:
    """Put blocks in a thread, and end the stream; wait for it at the end."""

    def put() -> None:
        for block in blocks:
            if not stream.put(block):
                return
        stream.end()

    one = threading.Thread(target=put, daemon=True)
    one.start()
    yield one
    one.join(TIMEOUT)
    assert not one.is_alive(), "the thread waits forever"


def wait_until_it_waits(stream: SpooledStream, one: threading.Thread) -> None:
    """Return when the thread waits for the reader: nothing else can change the stream then."""
    condition = stream._changed
    for _ in range(1_000_000):
        with condition:
            if condition._waiters:  # type: ignore[attr-defined]
                return
        assert one.is_alive(), "the thread did not wait"
    raise AssertionError("the thread does not wait")


def read_all(stream: SpooledStream, woken: threading.Event) -> bytes:
    """Read as a connection does: until nothing is left, then wait to be woken."""
    pieces: list[bytes] = []
    while True:
        woken.clear()
        piece = next(stream, None)
        if piece is None:
            return b"".join(pieces)
        if piece:
            pieces.append(piece)
        else:
            assert woken.wait(TIMEOUT), "the connection was not woken"


@pytest.mark.parametrize(
    ("sizes", "in_file"),
    [
        ((), 0),
        ((0, 1), 0),
        ((LIMIT,), 0),
        ((400, 600), 0),
        ((400, 700), 100),
        ((LIMIT, 1), 1),
        ((LIMIT, SPOOL), SPOOL),
    ],
)
def test_data_goes_to_memory_and_then_to_a_file(sizes: tuple[int, ...], in_file: int) -> None:
    stream = small()
    blocks = [bytes([index]) * size for index, size in enumerate(sizes)]
    for block in blocks:
        assert stream.put(block)
    assert stream._spooled == in_file
    assert (stream._file is not None) == bool(in_file)
    assert stream.size == sum(sizes) - in_file
    stream.end()
    assert b"".join(stream) == b"".join(blocks)
    stream.close()
    assert stream._file is None


@pytest.mark.parametrize("seed", range(8))
def test_every_byte_is_read_once_and_in_order(seed: int) -> None:
    generator = random.Random(seed)
    blocks = [generator.randbytes(generator.choice((1, 10, 300, 1000, 5000, 20_000))) for _ in range(200)]
    stream, woken = small(), threading.Event()
    stream.subscribe(woken.set)
    with thread(stream, *blocks):
        assert read_all(stream, woken) == b"".join(blocks)
    stream.close()


def test_the_file_is_a_ring_of_bounded_size() -> None:
    stream = small()
    stream.put(bytes(LIMIT))
    next(stream)
    stream.put(bytes(LIMIT + 10))
    for _ in range(100):
        stream.put(bytes(3000))
        while stream._spooled > 3000:
            next(stream)
        assert stream._file is not None
        assert os.fstat(stream._file.fileno()).st_size <= SPOOL
    assert stream._written > 10 * SPOOL
    stream.close()


def test_the_thread_waits_above_the_mark_until_half_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooled_stream, "READ_SIZE", 1000)
    stream = small()
    with thread(stream, bytes(LIMIT), bytes(SPOOL), b"last") as one:
        wait_until_it_waits(stream, one)
        assert (stream.size, stream._spooled) == (LIMIT, SPOOL)
        assert len(next(stream)) == LIMIT
        for left in range(SPOOL, SPOOL // 2, -1000):
            assert stream._spooled == left
            with stream._changed:
                assert stream._changed._waiters  # type: ignore[attr-defined]
            assert len(next(stream)) == 1000
        rest = b"".join(stream)  # until the thread has ended it
    assert len(rest) == SPOOL // 2 + 4
    stream.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_waiting_thread_is_woken_when_the_client_leaves(
    full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if full:
        monkeypatch.setattr(spooled_stream, "TemporaryFile", fail)
    stream = small()
    with thread(stream, bytes(20 * SPOOL)) as one:
        wait_until_it_waits(stream, one)
        stream.close()
    assert not stream.put(b"more")
    assert stream._file is None


def fail(**_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_thread_waits_for_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spooled_stream, "TemporaryFile", fail)
    data = random.Random(1).randbytes(20 * LIMIT)
    stream, woken = small(), threading.Event()
    stream.subscribe(woken.set)
    with thread(stream, data) as one:
        wait_until_it_waits(stream, one)
        assert (stream.size, stream._spooled) == (LIMIT, 0)
        assert read_all(stream, woken) == data
    assert (
        caplog.text.count("cannot write a response to a temporary file, its thread waits for the client") == 1
    )


def test_a_disk_that_becomes_full_keeps_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random.Random(2).randbytes(4 * SPOOL)
    written: list[int] = []
    pwrite = os.pwrite

    def limited(descriptor: int, part: bytes, offset: int) -> int:
        if written:
            fail()
        written.append(pwrite(descriptor, part[:100], offset))
        return written[0]

    monkeypatch.setattr(os, "pwrite", limited)
    stream, woken = small(), threading.Event()
    stream.subscribe(woken.set)
    with thread(stream, data):
        assert read_all(stream, woken) == data
    assert written == [100]
    stream.close()


def test_a_file_is_not_closed_while_a_thread_writes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite, descriptors = os.pwrite, []
    stream = small()

    def write(descriptor: int, part: bytes, offset: int) -> int:
        stream.close()
        os.fstat(descriptor)  # open: the number cannot be another file's
        descriptors.append(descriptor)
        return pwrite(descriptor, part, offset)

    monkeypatch.setattr(os, "pwrite", write)
    assert not stream.put(bytes(2 * LIMIT))
    assert len(descriptors) == 1
    assert stream._file is None


def test_a_failure_is_raised_after_what_was_put() -> None:
    stream = small()
    stream.put(bytes(LIMIT + 5))
    stream.end(OSError("reason"))
    assert len(next(stream) + next(stream)) == LIMIT + 5
    with pytest.raises(OSError, match="reason"):
        next(stream)
    stream.close()


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    stream = small()
    stream.put(bytes(LIMIT + 5))
    assert stream._file is not None
    os.truncate(stream._file.fileno(), 0)
    next(stream)
    with pytest.raises(OSError, match="truncated"):
        next(stream)
    stream.close()

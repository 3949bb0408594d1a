"""The corpus over the wire, against any server on this machine.

Nothing here waits without end: a server that neither answers nor closes is left after ``timeout`` seconds,
and all together is over after ``seconds``.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.replay import (
    Delivery,
    Judgement,
    Outcome,
    Reply,
    check_outcome,
    deliveries,
    expected_replies,
    read_replies,
)

AT_ONCE = 4  # conversations


class Verdict(NamedTuple):
    """What came of one entry: by the way it was delivered, what is wrong; None when it was not run."""

    entry: Entry
    judgements: dict[str, Judgement] | None

    @property
    def agrees(self) -> bool:
        """Whether the server saw the request end where it ends."""
        return self.judgements is not None and not any(j.violations for j in self.judgements.values())

    @property
    def exact(self) -> bool:
        """Whether all was as the entry says."""
        return self.agrees and not any(j.differences for j in (self.judgements or {}).values())

    def __str__(self) -> str:
        if self.judgements is None:
            return "not run: timeout"
        wrong = {way: j.violations or j.differences for way, j in self.judgements.items()}
        return "; ".join(f"{way}: {', '.join(words)}" for way, words in wrong.items() if words)


def replay(
    address: tuple[str, int], entries: list[Entry], timeout: float, seconds: float
) -> Iterator[Verdict]:
    """Replay entries against a server, a few at once; yield what came of each, in order."""
    deadline = time.monotonic() + seconds

    def run(entry: Entry) -> Verdict:
        judgements = {}
        for delivery in deliveries(entry):
            if time.monotonic() >= deadline:
                return Verdict(entry, None)
            outcome = exchange(address, entry, delivery, timeout)
            judgements[delivery.way] = check_outcome(entry, delivery.canary, outcome)
        return Verdict(entry, judgements)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(run, entries)


def exchange(address: tuple[str, int], entry: Entry, delivery: Delivery, timeout: float) -> Outcome:
    """Deliver an entry over a connection of its own; return what came."""
    with socket.create_connection(address, timeout=timeout) as sock:
        # Without delay: pieces are to arrive as pieces.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(sock, timeout)
        with contextlib.suppress(OSError):  # the server may close early: its answers so far count
            for piece in delivery.pieces:
                sock.sendall(piece)
        wanted = expected_replies(entry, delivery.canary)
        if entry.status is not None:
            # One that persists is heard until it has answered, one that does not until it has closed.
            reader.read(lambda: entry.keep_alive and len(reader.replies(entry.method)[0]) >= wanted)
        ended = reader.ended
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        reader.read(lambda: False)
        replies, rest = reader.replies(entry.method)
        return Outcome(replies, rest, ended, reader.was_reset)


class Reader:
    """Reads what a server sends until something has come about, it ends, or the timeout is over."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._received = b""
        self.ended = False
        self.was_reset = False

    def read(self, enough: Callable[[], bool]) -> None:
        """Read until ``enough`` is true."""
        deadline = time.monotonic() + self._timeout
        while not self.ended and not enough():
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._sock.recv(1 << 18)
            except TimeoutError:
                return
            except OSError:
                self.was_reset, data = True, b""
            self._received += data
            self.ended = not data

    def replies(self, method: str) -> tuple[list[Reply], bytes]:
        """Return the whole responses that came, and the bytes left over."""
        return read_replies(self._received, method, self.ended)

"""The simulated network: what a kernel does for TCP on one machine.

    Socket    the server's end, with the calls of a socket that does not block
    Listener  the listening socket, and the clients that wait to be accepted
    Network   the descriptors (the lowest free number comes next, as in a kernel), and sendfile

Any call can meet a fault: EAGAIN although it could succeed, fewer bytes than possible, a reset. What a
program must not do, such as a call on a closed descriptor, is a violation at once. Each call that
made progress is noted in ``moved``; each false EAGAIN in ``denied``.
"""

import errno
import os
import struct
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from selectors import EVENT_READ, EVENT_WRITE
from socket import AF_INET, MSG_PEEK, SHUT_WR, SO_LINGER
from typing import Any

from tests.simulation.tcp import ByteSummary, TcpConnection
from tests.simulation.world import World

FIRST_DESCRIPTOR = 3
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Handle:
    """What the server's two kinds of sockets have in common: a descriptor, until it is closed."""

    def __init__(self, network: "Network", name: str) -> None:
        self.network = network
        self.name = name
        self.random = network.world.stream(f"{name}'s socket")
        self.descriptor = network.open(self)

    def fileno(self) -> int:
        """Return the descriptor, -1 when it is closed."""
        return self.descriptor

    def readiness(self) -> int:
        """What a selector finds here."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the descriptor; doing so twice is harmless, as with real sockets."""
        if self.descriptor >= 0:
            self.network.release(self.descriptor)
            self.descriptor = -1

    def _begin(self, call: str, exact: bool = False) -> None:
        """Begin a system call: refuse it on a closed handle; raise the planted fault, if any."""
        network = self.network
        if self.descriptor < 0:
            network.world.fail(f"{call} on the closed handle of {self.name}")
        if exact:
            return
        if network.world.happens("eagain", self.random):
            network.denied.add(self.descriptor)
            network.world.log("  %s: %s: false EAGAIN", self.name, call)
            raise BlockingIOError(errno.EAGAIN, "planted")


class Socket(Handle):
    """The server's end of a TCP connection."""

    def __init__(self, network: "Network", tcp: TcpConnection) -> None:
        super().__init__(network, tcp.name)
        self.tcp = tcp
        self.blocking = True
        self._fault: int | None = None  # a reset is reported once; later calls see the end only
        self._end_reported = False
        self._linger = True
        tcp.notify_server = self._changed

    def readiness(self) -> int:
        tcp = self.tcp
        if tcp.server_reset:
            return EVENT_READ | EVENT_WRITE
        readable = EVENT_READ if tcp.up or tcp.up_ended else 0
        # As in Linux, a third of a full buffer must be free before the socket becomes writable.
        writable = 3 * len(tcp.down) <= 2 * tcp.down_size or tcp.client_closed
        return readable | (EVENT_WRITE if writable else 0)

    def setblocking(self, blocking: bool) -> None:
        self.blocking = blocking

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        assert self.descriptor >= 0, "setsockopt on a closed handle"
        if option == SO_LINGER and isinstance(value, bytes):
            self._linger = struct.unpack("ii", value) != (1, 0)

    def recv_into(self, buffer: memoryview, size: int) -> int:
        data = self._receive(size, self.network.received_into)
        buffer[: len(data)] = data
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if flags & MSG_PEEK:
            return self._peek(size)
        return self._receive(size, self.network.received)

    def _receive(self, size: int, counts: dict[int, int]) -> bytes:
        self._begin("recv")
        tcp, network = self.tcp, self.network
        self._raise_reset("recv", end_is_quiet=True)
        if not tcp.up and not tcp.up_ended and not tcp.server_reset:
            raise BlockingIOError(errno.EAGAIN, "no data")
        if network.world.happens("short", self.random):
            size = self.random.randint(1, size)
        data = bytes(tcp.up[:size])
        del tcp.up[:size]
        if data or not self._end_reported:
            network.moved.add(self.descriptor)
        self._end_reported = not data
        counts[self.descriptor] = counts.get(self.descriptor, 0) + len(data)
        network.world.log("  %s: recv: %s", self.name, ByteSummary(data))
        self._changed()
        if data:
            tcp.received_at = network.world.now
            tcp.notify_client()
        return data

    def _peek(self, size: int) -> bytes:
        """Look at what has come, which is always true: a kernel does not deny bytes that it has."""
        self._begin("recv", exact=True)
        tcp, network = self.tcp, self.network
        if not tcp.up and not tcp.up_ended and not tcp.server_reset:
            raise BlockingIOError(errno.EAGAIN, "no data")
        network.peeked = network.peeked or bool(tcp.up)
        return bytes(tcp.up[:size])

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        self._begin("send")
        room = self._room(len(data))
        return self._push("send", bytes(data[:room]))

    def sendfile(self, file: int, offset: int, count: int) -> int:
        self._begin("sendfile")
        return self._push("sendfile", os.pread(file, self._room(count), offset))

    def shutdown(self, how: int) -> None:
        assert self.descriptor >= 0, "shutdown of a closed handle"
        assert how == SHUT_WR
        if self.tcp.server_reset:
            raise OSError(errno.ENOTCONN, "reset")
        self.tcp.down_ended = True
        self.tcp.shut_at = self.network.world.now
        self.network.world.log("  %s: shutdown", self.name)
        self.tcp.notify_client()

    def close(self) -> None:
        """Close: cleanly, or with a reset when bytes are unread or no lingering is wanted."""
        tcp = self.tcp
        if not tcp.server_closed:
            clean = self._linger and not tcp.up and not tcp.server_reset
            self.network.world.log("  %s: close%s", self.name, "" if clean else ", which resets")
            tcp.server_closed = tcp.down_ended = True
            tcp.closed_at = self.network.world.now
            tcp.notify_server = lambda: None
            if not clean:
                tcp.break_client()
            tcp.notify_client()
        super().close()

    def _room(self, wanted: int) -> int:
        """Return how many bytes the kernel takes now; raise OSError."""
        tcp, network = self.tcp, self.network
        self._raise_reset("send", end_is_quiet=False)
        if tcp.down_ended:
            raise BrokenPipeError(errno.EPIPE, "after shutdown")
        room = min(wanted, tcp.down_size - len(tcp.down))
        if room <= 0 < wanted and not tcp.client_closed:
            raise BlockingIOError(errno.EAGAIN, "full")
        if room > 1 and network.world.happens("short", self.random):
            room = self.random.randint(1, room)
        return room

    def _push(self, call: str, data: bytes) -> int:
        tcp, network = self.tcp, self.network
        if data:
            network.moved.add(self.descriptor)
        network.sent[self.descriptor] = network.sent.get(self.descriptor, 0) + len(data)
        network.world.log("  %s: %s: %s", self.name, call, ByteSummary(data))
        if tcp.client_closed:
            tcp.break_server()  # the client has closed: the answer is a reset
        else:
            tcp.down += data
            tcp.notify_client()
        self._changed()
        return len(data)

    def _raise_reset(self, call: str, end_is_quiet: bool) -> None:
        """Raise what a reset raises, once; after that, receiving ends and sending fails."""
        tcp, network = self.tcp, self.network
        assert not self.blocking, f"{call} on a blocking handle"
        if not tcp.server_reset and network.world.happens("reset", self.random):
            network.world.allow_failure(tcp.name, "the network broke the connection")
            tcp.break_client()
            tcp.break_server()
        if not tcp.server_reset:
            return
        if self._fault is None:
            self._fault = errno.ECONNRESET
            network.moved.add(self.descriptor)
            network.world.log("  %s: %s: reset", self.name, call)
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if not end_is_quiet:
            raise BrokenPipeError(errno.EPIPE, "after a reset")

    def _changed(self) -> None:
        self.network.touch(self.descriptor)


class Listener(Handle):
    """The listening socket. After ``listen(0)`` no new client enters, and EAGAIN means an empty queue."""

    def __init__(self, network: "Network", outlives_process: bool) -> None:
        super().__init__(network, "listener")
        self.family = AF_INET
        self.outlives_process = outlives_process
        self.waiting: deque[TcpConnection] = deque()
        self.backlog = 4096

    def readiness(self) -> int:
        return EVENT_READ if self.waiting else 0

    def listen(self, backlog: int) -> None:
        self.backlog = backlog

    def connect(self, tcp: TcpConnection) -> bool:
        """Put a client into the queue; return False when it is refused."""
        if self.descriptor < 0 or len(self.waiting) > self.backlog:
            return False
        self.waiting.append(tcp)
        self.network.touch(self.descriptor)
        return True

    def accept(self) -> tuple[Socket, tuple[str, int]]:
        self._begin("accept", exact=not self.backlog)
        world, network = self.network.world, self.network
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "accept queue empty")
        if network.is_full or world.happens("emfile", self.random):
            world.log("  accept: out of descriptors")
            network.exhausted = True
            raise OSError(self.random.choice(_NO_ROOM), "no room")
        tcp = self.waiting.popleft()
        network.moved.add(self.descriptor)
        network.touch(self.descriptor)
        if world.happens("abort", self.random):
            world.allow_failure(tcp.name, "it disconnected before it was accepted")
            tcp.server_closed = True
            tcp.break_client()
            raise ConnectionAbortedError(errno.ECONNABORTED, "disconnected")
        tcp.accepted_at = world.now
        world.log("  %s is accepted", tcp.name)
        return Socket(network, tcp), (tcp.name, 1)

    def close(self) -> None:
        """Close, which resets every client that waits to be accepted; or another process serves it."""
        if self.waiting:
            self.network.on_listener_close([tcp.name for tcp in self.waiting])
        for tcp in self.waiting:
            tcp.server_closed = True
            tcp.break_client()
        self.waiting.clear()
        super().close()


class Signals(Handle):
    """Where the numbers of signals arrive, for the server to read."""

    def __init__(self, network: "Network") -> None:
        super().__init__(network, "signals")
        self._numbers: list[int] = []

    def readiness(self) -> int:
        return EVENT_READ if self._numbers else 0

    def send(self, number: int) -> None:
        """Send a signal to the server."""
        self._numbers.append(number)
        self.network.touch(self.descriptor)

    def recv(self, size: int) -> bytes:
        self._begin("recv")
        numbers, self._numbers = self._numbers, []
        if not numbers:
            raise BlockingIOError(errno.EAGAIN, "no signal")
        self.network.moved.add(self.descriptor)
        self.network.touch(self.descriptor)
        return bytes(numbers)


class Network:
    """The descriptors of one process, at most ``limit`` at once."""

    def __init__(self, world: World, limit: int) -> None:
        self.world = world
        self.limit = limit
        self.handles: dict[int, Handle] = {}
        self.moved: set[int] = set()  # descriptors on which a call made progress in this turn
        self.denied: set[int] = set()  # those with a false EAGAIN
        self.received: dict[int, int] = {}  # bytes in this turn, by descriptor
        self.received_into: dict[int, int] = {}  # the same, into a buffer
        self.sent: dict[int, int] = {}
        self.exhausted = False  # whether accept has failed in this turn
        self.peeked = False  # whether unread bytes have been peeked at
        self.touch: Callable[[int], None] = lambda descriptor: None
        # Given the names of the clients in the accept queue when the listening socket is closed.
        self.on_listener_close: Callable[[list[str]], None] = lambda names: None
        self._free: list[int] = []
        self._next = FIRST_DESCRIPTOR

    @property
    def is_full(self) -> bool:
        return len(self.handles) >= self.limit

    def open(self, handle: Handle) -> int:
        """Return the lowest free descriptor."""
        if self._free:
            descriptor = heappop(self._free)
        else:
            descriptor, self._next = self._next, self._next + 1
        self.handles[descriptor] = handle
        return descriptor

    def release(self, descriptor: int) -> None:
        del self.handles[descriptor]
        self.moved.add(descriptor)
        heappush(self._free, descriptor)

    def begin_turn(self) -> None:
        """Forget what the calls of the last turn did."""
        self.moved.clear()
        self.denied.clear()
        self.received.clear()
        self.received_into.clear()
        self.sent.clear()
        self.peeked = self.exhausted = False

    def sendfile(self, descriptor: int, file: int, offset: int, count: int) -> int:
        """Send from a real file to a simulated socket, as os.sendfile does."""
        handle = self.handles.get(descriptor)
        if not isinstance(handle, Socket):
            self.world.fail(f"sendfile to descriptor {descriptor}, which is not a socket")
        return handle.sendfile(file, offset, count)

    def unacknowledged(self, sock: Any) -> int:
        """Return how many bytes a client has not read: its kernel acknowledges what it reads."""
        return len(sock.tcp.down)

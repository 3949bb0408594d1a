"""The output of an application in a thread: in memory, then in a temporary file, then the thread waits.

    Unread bytes of one response             The next block goes to       The thread
    up to 256 KiB                            memory                       does not wait
    more, up to 16 MiB                       a temporary file             does not wait
    more                                     -                            waits until 8 MiB are left
    more than 256 KiB, and the disk is full  -                            waits until 64 KiB are left

A client that reads slowly holds no thread, unless the response has more than 16 MiB. The file is a ring
buffer. A waiting thread is woken when the client disconnects or the server closes the connection. One thread
calls ``put`` and ``end``; the loop calls everything else.
"""

import logging
import os
from tempfile import TemporaryFile
from threading import Condition
from typing import IO

from reactor.http11.message import LiveStream
from reactor.settings import KIB, MIB

log = logging.getLogger("reactor")

MAX_SPOOLED = 16 * MIB  # bytes in the file
READ_SIZE = 128 * KIB  # bytes read from the file in one turn


class SpooledStream(LiveStream):
    """A live stream whose ``put`` accepts everything, and waits if it must.

    A graceful shutdown waits for it. ``limit`` is the bytes kept in memory, ``max_spooled`` those kept in a
    file.
    """

    ends_by_itself = True

    __slots__ = (
        "_changed",
        "_ended",
        "_failure",
        "_file",
        "_is_full",
        "_max",
        "_read",
        "_writing",
        "_written",
    )

    def __init__(
        self, length: int | None = None, limit: int = 256 * KIB, max_spooled: int = MAX_SPOOLED
    ) -> None:
        super().__init__(limit, length)
        self._max = max_spooled
        self._changed = Condition(self._lock)
        self._file: IO[bytes] | None = None
        self._is_full = False  # the file cannot be written
        self._writing = False  # a thread writes to the file
        self._written = self._read = 0  # bytes ever written to the file, and read from it
        self._ended = False
        self._failure: Exception | None = None

    # Called by the thread of the application.

    def put(self, data: bytes) -> bool:
        """Add data, waiting as long as it must; return False if the client has disconnected."""
        rest = memoryview(data)
        while rest:
            in_memory = self._wait_for_room()
            if self.closed:
                return False
            part = rest[:in_memory] if in_memory else self._write(rest)
            if in_memory:
                self.send(data if len(part) == len(data) else bytes(part))
            rest = rest[len(part) :]
        return not self.closed

    def end(self, failure: Exception | None = None) -> None:
        """End the stream; with a failure, the connection is reset after what has been added."""
        with self._lock:
            self._failure = failure
            self._ended = True
        self._wake()

    def _wait_for_room(self) -> int:
        """Wait until data can be added; return the bytes that fit into memory, 0 for the file."""
        with self._changed:
            if not self._fits_memory() and (self._is_full or self._spooled >= self._max):
                self._changed.wait_for(self._is_drained)
            return self.limit - self.size if self._fits_memory() else 0

    def _fits_memory(self) -> bool:
        return not self._spooled and self.size < self.limit

    def _is_drained(self) -> bool:
        if self._is_full:
            return self.closed or (not self._spooled and self.size <= self.limit // 4)
        return self.closed or self._spooled <= self._max // 2

    @property
    def _spooled(self) -> int:
        return self._written - self._read

    def _write(self, data: memoryview) -> memoryview:
        """Write the first part of data to the file; return it, empty if the disk is full."""
        with self._lock:
            self._writing = True  # ``close`` leaves the file open: its descriptor could be reused
            begin = self._written % self._max
            part = data[: min(self._max - self._spooled, self._max - begin)]
        count = 0
        try:
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115  # closed by ``_release``
            count = os.pwrite(self._file.fileno(), part, begin)
        except OSError as error:
            log.warning(
                "cannot write a response to a temporary file, its thread waits for the client: %s", error
            )
        with self._lock:
            was_empty = not (self.size or self._spooled)
            self._is_full = not count
            self._written += count
            self._writing = False
            self._release()
        if was_empty:
            self._wake()
        return part[:count]

    # Called by the connection, in the loop.

    def __next__(self) -> bytes:
        with self._changed:
            if self._waiting:
                data = super().__next__()
                self._wake_thread()
                return data
            count = min(self._spooled, READ_SIZE)
            if not count and self._failure is not None:
                raise self._failure
            if not count and (self._ended or self.closed):
                raise StopIteration
        return self._read_file(count) if count else b""

    def _read_file(self, count: int) -> bytes:
        assert self._file is not None, "bytes in a file that does not exist"
        data = os.pread(self._file.fileno(), count, self._read % self._max)  # less at the end of the ring
        if not data:
            raise OSError("the temporary file of a response was truncated")
        with self._changed:
            self._read += len(data)
            self._wake_thread()
        return data

    def close(self) -> None:
        """Note that the client has disconnected, or that everything was sent; wake the thread."""
        with self._changed:
            self.closed = True
            self._release()
            self._wake_thread()

    def _wake_thread(self) -> None:
        if self._is_drained():
            self._changed.notify()

    def _release(self) -> None:
        """Close the file of a closed stream, unless a thread is writing to it."""
        if self.closed and self._file is not None and not self._writing:
            self._file.close()
            self._file = None

"""A call of a WSGI application in a worker thread: a Deferred, and mostly a stream after it.

The thread resolves the Deferred with the first block, and then continues with the others. If the client
disconnects before the call begins, the application is not called; later, the thread notices it at the next
block, or while it waits.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from math import inf

from reactor.http11.deferred import Call, Deferred
from reactor.http11.errors import HTTPError
from reactor.http11.message import Response
from reactor.wsgi.application_call import ApplicationCall, checked
from reactor.wsgi.spooled_stream import SpooledStream

log = logging.getLogger("reactor")


class DisconnectedError(ConnectionError):
    """The client has disconnected; raised by ``write``."""


class ThreadedResponse(Deferred):
    """The response of an application that runs in a worker thread."""

    __slots__ = ("_call", "_is_taken", "_stream")

    def __init__(self, call: ApplicationCall) -> None:
        super().__init__(timeout=inf)  # as with other WSGI servers, the application decides
        self._call = call
        self._is_taken = False  # the call has begun, or never will
        self._stream: SpooledStream | None = None

    @property
    def has_steps(self) -> bool:
        """True: a worker thread makes the response known."""
        return True

    def start(self, in_worker: Call, in_loop: Call, notify: Callable[[Deferred], object]) -> None:
        """Call the application in a worker thread, as soon as one is free."""
        try:
            super().start(in_worker, in_loop, notify)
            in_worker(self._call_application)
        except BaseException:
            self._call.close()
            raise

    def close(self) -> None:
        """Note that the client has disconnected, and release the request if its call has not begun.

        Otherwise clients that have left would occupy connections, and memory, until a thread is free.
        """
        super().close()
        self.abort()

    def abort(self) -> None:
        """Release the request if its call has not begun: it never will."""
        if self._take_call():
            self._call.close()
            self._end_without_client()

    def _take_call(self) -> bool:
        """Return True to the first caller only, which calls the application or releases the request."""
        with self._lock:
            is_first, self._is_taken = not self._is_taken, True
        return is_first

    def _call_application(self) -> None:
        if not self._take_call():
            return
        is_file = False
        try:
            iterable = self._call.call(self._write)
            is_file = self._send_file(iterable)
            if not is_file:
                self._send(iterable)
        except BaseException as error:  # such as SystemExit, which must not end the thread without a response
            self._fail(error)
        finally:
            if not is_file:
                self._call.close()

    def _send_file(self, iterable: Iterable[bytes]) -> bool:
        """Pass a regular file to the connection; return False for others. A worker thread closes it."""
        if self.done:
            return False
        response = self._call.file_response(iterable, partial(self._in_worker, self._call.close))
        if response is None:
            return False
        self.resolve(response)
        return True

    def _send(self, iterable: Iterable[bytes]) -> None:
        content = None if self.done else self._call.whole(iterable)
        if content is not None:
            self.resolve(self._call.complete(content))
            return
        for block in iterable:
            # For empty blocks, too: an application that waits for data yields them.
            if self._is_disconnected:
                raise DisconnectedError("the client has disconnected")
            if checked(block) and not self._emit(block):
                break
        if not self.done:
            self.resolve(self._call.complete(b""))
        elif self._stream is not None:
            self._stream.end()

    @property
    def _is_disconnected(self) -> bool:
        """Whether the client has disconnected, before the first block or after it."""
        return self.closed or (self._stream is not None and self._stream.closed)

    def _write(self, data: bytes) -> None:
        if checked(data):
            self._emit(data)

    def _emit(self, block: bytes) -> bool:
        """Send a block; return False if no other is wanted. Raise DisconnectedError."""
        if self._stream is not None:
            if not self._stream.put(block):
                raise DisconnectedError("the client has disconnected")
            return True
        if not self.done:
            return self._begin(block)
        if not self._call.omits_content:
            self._call.log_excess()
        return False

    def _begin(self, block: bytes) -> bool:
        """Resolve this object with the first block; return False if no other is wanted."""
        call = self._call
        call.require_start()
        length = call.start.length
        if call.omits_content:
            self.resolve(call.head_only())
            return False
        if length is not None and len(block) >= length:
            self.resolve(call.complete(block))
            return len(block) == length
        self._stream = stream = SpooledStream(length)
        response = Response(call.start.status, stream, call.start.headers)
        if len(block) > stream.limit:  # adding it could wait for the client
            self.resolve(response)
            return self._emit(block)
        stream.put(block)
        self.resolve(response)
        return True

    def _fail(self, error: BaseException) -> None:
        stream = self._stream
        if isinstance(error, DisconnectedError):
            self._end_without_client()
        elif self.done:
            request = self._call.request
            log.error(
                "unhandled exception after the first block of the response to %r", request, exc_info=error
            )
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            failure = RuntimeError(f"the application raised {error!r}")
            self.fail(failure.with_traceback(error.__traceback__))
        if stream is not None:
            stream.end(OSError("the application failed"))  # no traceback: it was logged

    def _end_without_client(self) -> None:
        if not self.done:
            self.fail(HTTPError(503, "the client has disconnected"))

"""A call of a WSGI application for one request, whether in a thread or in the loop.

The response is known as soon as its first block is, or the end:

    The application returns                      Response
    a list or a tuple, or an iterable of len 1   bytes; Content-Length is their number
    ``wsgi.file_wrapper`` of a regular file      a FileSlice, from the file's position
    a first block of Content-Length bytes        bytes
    any other iterable                           a stream; each block is sent without delay
    anything, for HEAD, 204, 205 and 304         no content

``close`` of the iterable is called once, after its last block, an error, or when the client has disconnected;
that of a file after sending. An exception before the first block is handled like one of a handler (500);
later ones reset the connection, so that the response does not look complete.
"""

import logging
from collections.abc import Callable, Iterable, Sized
from wsgiref.types import WSGIApplication, WSGIEnvironment

from reactor.http11.message import LiveStream, Request, Response
from reactor.wsgi.error_log import ErrorLog
from reactor.wsgi.file_wrapper import FileWrapper, file_slice
from reactor.wsgi.request_input import InputFile, close_input
from reactor.wsgi.start_response import StartResponse, Write

log = logging.getLogger("reactor")

WITHOUT_CONTENT = frozenset({204, 205, 304})


class ApplicationCall:
    """One request, the application's response to it, and what must be closed afterwards."""

    __slots__ = (
        "_app",
        "_body",
        "_environ",
        "_errors",
        "_is_cut",
        "_iterable",
        "_reported",
        "request",
        "start",
    )

    def __init__(
        self,
        app: WSGIApplication,
        request: Request,
        environ: WSGIEnvironment,
        body: InputFile,
        errors: ErrorLog,
        reported: set[str],
    ) -> None:
        self._app = app
        self._environ = environ
        self._body = body
        self._errors = errors
        self._reported = reported
        self._is_cut = False
        self._iterable: Iterable[bytes] | None = None
        self.request = request
        self.start: StartResponse

    def call(self, write: Write) -> Iterable[bytes]:
        """Call the application, whose ``start_response`` returns ``write``; return its iterable."""
        self.start = StartResponse(write, self._reported)
        self._iterable = self._app(self._environ, self.start)
        return self._iterable

    def close(self) -> None:
        """Close the iterable and the request body; log an exception."""
        iterable, self._iterable = self._iterable, None  # closed once
        try:
            close = getattr(iterable, "close", None)
            if close is not None:
                close()
        except BaseException:  # such as SystemExit, which must not end the thread
            log.exception("unhandled exception in close() of the application, after %r", self.request)
        close_input(self._body)
        self._errors.end()

    def whole(self, iterable: Iterable[bytes]) -> bytes | None:
        """Return all blocks of an iterable that has them already, None for others."""
        if not isinstance(iterable, (list, tuple)):
            if not isinstance(iterable, Sized) or len(iterable) != 1:
                return None
            iterable = list(iterable)
        return b"".join([checked(block) for block in iterable])

    def file_response(self, iterable: Iterable[bytes], close: Callable[[], object]) -> Response | None:
        """Return the response of a regular file; None for anything else."""
        start = self.start
        if type(iterable) is not FileWrapper or not start.called or self.omits_content:
            return None
        part = file_slice(iterable, close)
        if part is None:
            return None
        if start.length is not None and start.length > part.count:
            raise ValueError(
                f"Content-Length is {start.length}, but the file has {part.count} bytes from its position on"
            )
        part.count = part.count if start.length is None else start.length
        return Response(start.status, part, start.headers)

    @property
    def omits_content(self) -> bool:
        """Whether the response ends with its head."""
        return self.request.method == "HEAD" or self.start.status in WITHOUT_CONTENT

    def complete(self, content: bytes) -> Response:
        """Return the response of this content; raise ValueError for less than Content-Length."""
        start = self.start
        self.require_start()
        length = start.length
        if self.omits_content and not (content and length is None):
            return self.head_only()
        if length is not None and len(content) > length:
            self.log_excess()
            content = content[:length]
        if length is not None and len(content) < length:
            raise ValueError(f"the response has {len(content)} bytes, but its Content-Length is {length}")
        return Response(start.status, content, start.headers)

    def head_only(self) -> Response:
        """Return the response to HEAD, or one without content, with the application's Content-Length."""
        start = self.start
        stream = LiveStream(length=start.length)
        stream.close()
        return Response(start.status, stream, start.headers)

    def require_start(self) -> None:
        """Note that the headers are used; raise RuntimeError if the application has set none."""
        if not self.start.called:
            raise RuntimeError(
                "the application did not call start_response() before its first block or its end"
            )
        self.start.sent = True

    def log_excess(self) -> None:
        """Log, once, that the application sends more than it has announced."""
        if self._is_cut:
            return
        self._is_cut, length = True, self.start.length
        log.error("%r: the response is longer than its Content-Length of %s bytes: cut", self.request, length)


def checked(block: object) -> bytes:
    """Return a block; raise TypeError for anything but bytes."""
    if not isinstance(block, bytes):
        raise TypeError(f"the application returned a block of type {type(block).__name__} (expected bytes)")
    return block

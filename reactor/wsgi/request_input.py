"""The sink for the body of a request to a WSGI application: up to 1 MiB in memory, then a temporary file.

The application is called when the body is complete, so that a slow client does not hold a thread. Its size is
limited by the setting ``max_body``.
"""

import logging
from contextlib import suppress
from io import BytesIO
from tempfile import SpooledTemporaryFile

from reactor.http11.errors import HTTPError
from reactor.routing import ViewSink
from reactor.settings import MIB

log = logging.getLogger("reactor")

IN_MEMORY = 1 * MIB  # bytes of a body; a larger one is written to a file

InputFile = BytesIO | SpooledTemporaryFile[bytes]


class RequestInput(ViewSink):
    """The body of one request; ``take`` passes the file, and the duty to close it, to the caller."""

    __slots__ = ("_file", "size")

    def __init__(self) -> None:
        self._file: InputFile | None = None
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Receive a part of the body; raise HTTPError(507) if it cannot be stored."""
        if self._file is None:
            self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed by ``close``
        try:
            self._file.write(data)
        except OSError as error:
            raise _not_stored(error) from None
        self.size += len(data)

    def finish(self) -> "RequestInput":
        """Go back to the first byte; return this object, which becomes ``request.upload``."""
        if self._file is not None:
            try:
                self._file.seek(0)  # writes what is buffered
            except OSError as error:
                raise _not_stored(error) from None
        return self

    def take(self) -> InputFile:
        """Return the file, which the caller closes."""
        file, self._file = self._file, None
        return BytesIO() if file is None else file

    def close(self) -> None:
        """Close the file, unless it was taken."""
        if self._file is not None:
            close_input(self._file)
            self._file = None


def close_input(file: InputFile) -> None:
    """Close the file of a body, whose bytes are no longer needed: they may still be unwritten."""
    with suppress(OSError):
        file.close()


def _not_stored(error: OSError) -> HTTPError:
    log.error("cannot store a request body in a temporary file: %s", error)
    return HTTPError(507, f"cannot store the request body: {error.strerror or 'input/output error'}")

"""A call of a WSGI application in the event loop: while it runs, all connections wait.

For applications that never block, and to see what blocking does: the log names each slow call. Each block of
an iterable is taken in a turn of its own.
"""

from collections.abc import Iterator
from itertools import chain

from reactor.http11.message import LiveStream, Response
from reactor.wsgi.application_call import ApplicationCall, checked


class LoopStream(LiveStream):
    """The blocks of an iterable, taken when the previous one is sent; a live stream that always has data."""

    ends_by_itself = True

    __slots__ = ("_blocks", "_call")

    def __init__(self, call: ApplicationCall, blocks: Iterator[bytes]) -> None:
        super().__init__(length=call.start.length)
        self._call = call
        self._blocks = blocks

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        """Close the iterable."""
        super().close()
        self._call.close()


def respond(call: ApplicationCall) -> Response:
    """Call the application; return its response, which closes what must be closed."""
    written: list[bytes] = []
    response = None
    try:
        iterable = call.call(lambda data: written.append(checked(data)))
        response = None if written else call.file_response(iterable, call.close)
        if response is None:
            content = call.whole(iterable)
            if content is not None:
                return call.complete(b"".join(written) + content)
            blocks = filter(checked, chain(written, iterable))
            first = next(blocks, b"")
            if not first:
                return call.complete(b"")
            call.require_start()
            if call.omits_content:
                return call.head_only()
            response = Response(
                call.start.status, LoopStream(call, chain([first], blocks)), call.start.headers
            )
        return response
    finally:
        if response is None:
            call.close()

"""The public ``Response``: that of ``reactor.http11``, with what is made of other modules."""

from reactor.http11 import message
from reactor.http11.event_stream import EventStream, event_stream_headers
from reactor.http11.message import HeaderSource


class Response(message.Response):
    """One response: a status, headers (a mapping, or (name, value) pairs), and content."""

    __slots__ = ()

    @staticmethod
    def events(headers: HeaderSource = ()) -> "EventsResponse":
        """Make a response of server-sent events; send them with its ``stream``."""
        return EventsResponse(headers)


class EventsResponse(Response):
    """A response with a stream of events, which is sent until the stream is closed."""

    __slots__ = ("stream",)

    # In place of the method that makes a response of an iterable, which has no use here.
    stream: EventStream  # type: ignore[assignment]

    def __init__(self, headers: HeaderSource = ()) -> None:
        self.stream = EventStream()
        super().__init__(200, self.stream, event_stream_headers(headers))

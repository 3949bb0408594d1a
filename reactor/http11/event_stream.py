r"""Server-sent events (HTML Standard, 9.2): a live stream of events, which browsers read as an EventSource.

    @routes.get("/clock")
    def clock(request):
        response = Response.events()
        clients.append(response.content)  # later: stream.send("12:00", event="minute")
        return response

An event has optional fields, one line of data for each line of the text, and an empty line:

    event: minute
    data: 12:00

A stream on which nothing is sent for a while gets a comment line, the heartbeat, so that proxies keep the
connection open, and so that the server notices a client that has vanished.
"""

from reactor.http11.message import HeaderPairs, HeaderSource, LiveStream, Response, header_pairs
from reactor.http11.results import with_missing_headers

HEARTBEAT = b":\n\n"
TYPE = (("Content-Type", "text/event-stream"),)
NOT_CACHED = (("Cache-Control", "no-cache"),)


class EventStream(LiveStream):
    """A live stream of events; it can be used in any thread, like any live stream."""

    __slots__ = ()

    def send(self, data: str, event: str | None = None, id: str | None = None) -> bool:  # type: ignore[override]
        """Buffer an event; return False if the client has disconnected or the buffer is full.

        ``event`` is its type, and ``id`` is what the client sends as Last-Event-ID when it connects again.
        Raise TypeError for anything but text, and ValueError for a type or id with a line break or NUL.
        """
        return super().send(format_event(data, event, id))

    def send_heartbeat(self) -> None:
        """Buffer a comment, which clients ignore, unless an event is buffered."""
        if not self.size:
            super().send(HEARTBEAT)


def event_stream_headers(headers: HeaderSource) -> HeaderPairs:
    """Return the headers of a response with a stream of events, which must not be cached."""
    typed = Response(200, b"", TYPE + header_pairs(headers))
    return with_missing_headers(typed, NOT_CACHED).headers


def format_event(data: str, event: str | None = None, id: str | None = None) -> bytes:
    r"""Format one event; raise TypeError or ValueError for invalid fields.

    >>> format_event("one\ntwo", event="count", id="2")
    b'event: count\nid: 2\ndata: one\ndata: two\n\n'
    """
    lines = []
    for name, value in (("event", event), ("id", id)):
        if value is not None:
            _check(name, value)
            if "\n" in value or "\r" in value or "\0" in value:
                raise ValueError(f"invalid {name} of an event: {value!r} (no line break or NUL)")
            lines.append(f"{name}: {value}\n")
    _check("data", data)
    # CRLF, CR and LF end a line, and no other character does.
    lines += [f"data: {line}\n" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "".join((*lines, "\n")).encode()


def _check(name: str, value: object) -> None:
    if not isinstance(value, str):  # raise in the caller: JSON, for example, must be encoded first
        raise TypeError(f"the {name} of an event must be a str, not {type(value).__name__}")

"""The oracles: h11 and httptools, each brought into the form of ``reading.py``.

Only here are they imported, and only when one is asked for. h11 is taught nothing; httptools
(llhttp) is used in its strict mode, which is its default. Neither decides which is right: the RFC does,
in ``disagreements.py``.
"""

from types import ModuleType
from typing import Any, Protocol

from tests.conformance.differential.reading import End, Message, Reading

NAMES = ("h11", "httptools")
# What h11 buffers of one head: more than we do, so that our limits are met first.
H11_HEAD = 1 << 20


class Oracle(Protocol):
    """A parser of another project."""

    name: str

    def read(self, data: bytes) -> Reading:
        """Read all that the bytes hold."""


def oracle(name: str) -> Oracle:
    """Make an oracle; raise ImportError where it is not installed."""
    if name == "h11":
        import h11

        return H11(h11)
    import httptools

    return Httptools(httptools)


class H11:
    """h11 as a server: each request is answered with 404, so that the next one can come."""

    name = "h11"

    def __init__(self, module: ModuleType) -> None:
        self.h11: Any = module

    def read(self, data: bytes) -> Reading:
        """Read all that the bytes hold."""
        connection = self.h11.Connection(self.h11.SERVER, max_incomplete_event_size=H11_HEAD)
        messages: list[Message] = []
        if data:  # none would mean the end of the connection
            connection.receive_data(data)
        try:
            while True:
                event = connection.next_event()
                if event is self.h11.NEED_DATA:
                    return Reading(tuple(messages), self._end(connection))
                if event is self.h11.PAUSED:
                    return Reading(tuple(messages), End.COMPLETE)
                self._take(connection, event, messages)
        except self.h11.RemoteProtocolError as error:
            return Reading(tuple(messages), End.REFUSED, error.error_status_hint, str(error))

    def _end(self, connection: Any) -> End:
        in_content = connection.their_state is self.h11.SEND_BODY
        in_head = connection.their_state is self.h11.IDLE and connection.trailing_data[0]
        return End.WAITING if in_content or in_head else End.COMPLETE

    def _take(self, connection: Any, event: Any, messages: list[Message]) -> None:
        if isinstance(event, self.h11.Request):
            messages.append(
                Message(
                    event.method.decode("latin-1"),
                    event.target.decode("latin-1"),
                    tuple(_text(*pair) for pair in event.headers.raw_items()),
                    keep_alive=connection.their_state is not self.h11.MUST_CLOSE
                    and _keeps_alive(event, self.h11),
                )
            )
            self._content: list[bytes] = []
        elif isinstance(event, self.h11.Data):
            self._content.append(bytes(event.data))
        elif isinstance(event, self.h11.EndOfMessage):
            messages[-1] = messages[-1]._replace(content=b"".join(self._content))
            self._answer(connection)

    def _answer(self, connection: Any) -> None:
        connection.send(self.h11.Response(status_code=404, headers=[("Content-Length", "0")]))
        connection.send(self.h11.EndOfMessage())
        if connection.our_state is self.h11.DONE and connection.their_state is self.h11.DONE:
            connection.start_next_cycle()


def _keeps_alive(request: Any, h11: Any) -> bool:
    """Ask h11 by its public interface: does a server that answers this request have to close?"""
    probe = h11.Connection(h11.SERVER)
    head = b"%b / HTTP/%b\r\nHost: x\r\n" % (b"GET", request.http_version)
    lines = [b"Connection: %b\r\n" % value for name, value in request.headers if name == b"connection"]
    probe.receive_data(head + b"".join(lines) + b"\r\n")
    probe.next_event()
    probe.next_event()
    return probe.their_state is not h11.MUST_CLOSE


class Httptools:
    """httptools: callbacks into a recorder, fed once."""

    name = "httptools"

    def __init__(self, module: ModuleType) -> None:
        self.httptools: Any = module

    def read(self, data: bytes) -> Reading:
        """Read all that the bytes hold."""
        recorder = Recorder()
        recorder.parser = self.httptools.HttpRequestParser(recorder)
        end, reason = End.COMPLETE, ""
        try:
            recorder.parser.feed_data(data)
            if recorder.in_message:
                end = End.WAITING
        except self.httptools.HttpParserUpgrade:
            end = End.STOPPED
        except self.httptools.HttpParserError as error:
            end, reason = End.REFUSED, f"{type(error).__name__}: {error}"
        return Reading(tuple(recorder.messages), end, 400 if end is End.REFUSED else 0, reason)


class Recorder:
    """The protocol that httptools calls."""

    def __init__(self) -> None:
        self.parser: Any = None
        self.messages: list[Message] = []
        self.in_message = False
        self._in_trailers = False
        self._url = b""
        self._fields: list[tuple[str, str]] = []
        self._content: list[bytes] = []

    def on_message_begin(self) -> None:
        """Be called before the first byte of a message."""
        self.in_message, self._in_trailers = True, False
        self._url, self._fields, self._content = b"", [], []

    def on_url(self, url: bytes) -> None:
        """Be given the target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Be given a field line; trailers come here, too."""
        if not self._in_trailers:
            self._fields.append(_text(name, value or b""))

    def on_headers_complete(self) -> None:
        """Be called at the end of the head."""
        self._in_trailers = True
        method = self.parser.get_method().decode("latin-1")
        self.messages.append(
            Message(method, self._url.decode("latin-1"), tuple(self._fields), self.parser.should_keep_alive())
        )

    def on_body(self, body: bytes) -> None:
        """Be given content."""
        self._content.append(body)

    def on_message_complete(self) -> None:
        """Be called after the last byte of a message."""
        self.in_message = False
        self.messages[-1] = self.messages[-1]._replace(content=b"".join(self._content))


def _text(name: bytes, value: bytes) -> tuple[str, str]:
    return name.decode("latin-1"), value.decode("latin-1")

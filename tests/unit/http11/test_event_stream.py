"""Server-sent events: their format (HTML Standard, 9.2), and the response that has a stream of them."""

import pytest

from reactor import EventsResponse, EventStream, Response
from reactor.http11.event_stream import format_event


def parse(data: bytes) -> list[tuple[str, str, str]]:
    """Read events as the standard says; return the type, data and id of each."""
    events, event, lines, last_id = [], "", list[str](), ""
    text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if lines:
                events.append((event or "message", "\n".join(lines), last_id))
            event, lines = "", []
        elif name == "event":
            event = value
        elif name == "data":
            lines.append(value)
        elif name == "id":
            last_id = value
    return events


@pytest.mark.parametrize(
    ("data", "read"),
    [
        ("a", "a"),
        ("", ""),
        ("a\nb", "a\nb"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("\n", "\n"),
        ("\r\n\r\n", "\n\n"),
        (" a: b", " a: b"),
        ("a\u2028b\x0bc\x85d", "a\u2028b\x0bc\x85d"),  # no ends of lines
        ("id: 1\n\nevent: forged", "id: 1\n\nevent: forged"),
    ],
)
def test_a_client_reads_the_data_of_an_event(data: str, read: str) -> None:
    assert parse(format_event(data) * 2) == [("message", read, "")] * 2


def test_an_event_has_a_type_and_an_id() -> None:
    assert format_event("é", event="a b", id="7") == "event: a b\nid: 7\ndata: é\n\n".encode()
    assert parse(format_event("x", "kind", "1") + format_event("y")) == [
        ("kind", "x", "1"),
        ("message", "y", "1"),
    ]
    assert format_event("", event="", id="") == b"event: \nid: \ndata: \n\n"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\n"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_a_type_or_id_with_a_line_break_or_nul_is_invalid(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"invalid {name} of an event: "):
        format_event("x", **{name: value})


@pytest.mark.parametrize("arguments", [(b"x",), ({"a": 1},), ("x", 1), ("x", None, 2)])
def test_anything_but_text_is_a_type_error(arguments: tuple[str, ...]) -> None:
    stream = EventStream()
    with pytest.raises(TypeError, match="of an event must be a str, not "):
        stream.send(*arguments)
    assert next(stream) == b""


def test_a_stream_buffers_events_and_its_limit_holds() -> None:
    stream = EventStream(limit=20)
    assert stream.send("1", id="1")
    assert not stream.send("12345")
    assert next(stream) == b"id: 1\ndata: 1\n\n"
    stream.close()
    assert not stream.send("2")


def test_a_heartbeat_is_a_comment_unless_an_event_is_buffered() -> None:
    stream = EventStream()
    stream.send("1")
    stream.send_heartbeat()
    assert next(stream) == b"data: 1\n\n"
    stream.send_heartbeat()
    stream.send("2")
    assert parse(next(stream)) == [("message", "2", "")]
    stream.send_heartbeat()
    assert next(stream) == b":\n\n"


def test_the_response_has_the_stream_and_its_headers() -> None:
    response = Response.events()
    assert isinstance(response, EventsResponse)
    assert isinstance(response.content, EventStream)
    assert (response.status, response.headers) == (
        200,
        (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")),
    )
    headers = Response.events({"cache-control": "no-store", "X-A": "1"}).headers
    assert headers == (("Content-Type", "text/event-stream"), ("cache-control", "no-store"), ("X-A", "1"))

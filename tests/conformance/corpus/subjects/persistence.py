"""Served: what Connection and the version say of what comes next."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, Served, echo, get, post, served, upload


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from served("RFC 9112, 9.6", 200, *_closing())
    yield from served("RFC 9112, 9.3", 200, *_persisting())
    yield from served(
        "RFC 9112, 9.6",
        201,
        (
            "close-with-content",
            "Its content is read, and no request behind it.",
            post(b"Connection: close", b"Content-Length: 5", content=b"hello"),
            upload(keep_alive=False),
        ),
        (
            "close-and-request-behind",
            "What the client sends behind it is nothing.",
            post(b"Connection: close", b"Content-Length: 5", content=b"hello" + HIDDEN),
            upload(keep_alive=False),
        ),
        (
            "close-and-garbage-behind",
            "Even if it is not a request.",
            post(b"Connection: close", b"Content-Length: 5", content=b"hello\0\r\r\n"),
            upload(keep_alive=False),
        ),
        (
            "close-in-1-0-with-content",
            "HTTP/1.0 closes.",
            post(b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(keep_alive=False),
        ),
        (
            "keep-alive-in-1-0-with-content",
            "Unless it asks not to.",
            post(b"Connection: keep-alive", b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(),
        ),
    )


def _closing() -> Iterator[Served]:
    parsed = echo(keep_alive=False)
    for name, why, lines in (
        ("close", "The client says that it is the last.", [b"Connection: close"]),
        ("close-capitals", "Options have no case.", [b"Connection: CLOSE"]),
        ("close-in-list", "Options are a list.", [b"Connection: a, close , b"]),
        ("close-no-space", "White space is optional.", [b"Connection:a,close,b"]),
        ("close-tabs", "A tab is white space.", [b"Connection: a\t,\tclose"]),
        ("close-empty-members", "Empty members mean nothing.", [b"Connection: ,,close,"]),
        ("close-in-second-line", "Two lines are one list.", [b"Connection: a", b"Connection: close"]),
        ("close-and-keep-alive", "Close is stronger.", [b"Connection: keep-alive, close"]),
        ("close-before-keep-alive", "In any order.", [b"Connection: close", b"Connection: keep-alive"]),
        (
            "close-and-upgrade",
            "Beside another option.",
            [b"Connection: close, upgrade", b"Upgrade: x"],
        ),
    ):
        yield name, why, get(*lines), parsed
    old = b"HTTP/1.0"
    yield "close-in-1-0", "It says what holds anyway.", get(b"Connection: close", version=old), parsed
    yield (
        "close-and-keep-alive-in-1-0",
        "Close is stronger.",
        get(b"Connection: keep-alive, close", version=old),
        parsed,
    )
    yield "other-option-in-1-0", "Only one persists.", get(b"Connection: a", version=old), parsed
    yield "keep-alive-field-in-1-0", "The field is not an option.", get(b"Keep-Alive: 9", version=old), parsed


def _persisting() -> Iterator[Served]:
    for name, why, lines in (
        ("keep-alive", "It says what holds anyway.", [b"Connection: keep-alive"]),
        ("keep-alive-field", "Its parameters mean nothing here.", [b"Keep-Alive: timeout=5, max=1"]),
        ("connection-empty", "An empty list has no option.", [b"Connection:"]),
        ("connection-commas", "Empty members mean nothing.", [b"Connection: , ,"]),
        ("connection-closed", "Another word.", [b"Connection: closed"]),
        ("connection-close-notify", "Another word.", [b"Connection: close-notify"]),
        ("connection-not-close", "Two words are not an option.", [b"Connection: not close"]),
        ("connection-quoted-close", "Quotes make another word.", [b'Connection: "close"']),
        ("connection-semicolon", "Options have no parameters.", [b"Connection: close;a=b"]),
        ("proxy-connection-close", "Another field.", [b"Proxy-Connection: close"]),
        ("x-connection-close", "Another field.", [b"X-Connection: close"]),
        ("connection-host", "To name Host does not take it away.", [b"Connection: host"]),
        ("connection-te", "TE is for the next hop.", [b"Connection: TE", b"TE: trailers"]),
    ):
        yield name, why, get(*lines), echo(host="corpus.test")
    yield (
        "upgrade-websocket",
        "An upgrade that is not offered is not made.",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        echo(upgrade="websocket"),
    )
    yield (
        "upgrade-h2c",
        "An upgrade that is not offered is not made.",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        echo(upgrade="h2c"),
    )
    old = b"HTTP/1.0"
    yield (
        "keep-alive-in-1-0",
        "An old client asks for it.",
        get(b"Connection: keep-alive", version=old),
        echo(),
    )
    yield "keep-alive-in-1-0-any-case", "In any case.", get(b"connection: Keep-Alive", version=old), echo()
    yield (
        "keep-alive-in-1-0-in-list",
        "Among other options.",
        get(b"Connection: a, keep-alive", version=old),
        echo(),
    )

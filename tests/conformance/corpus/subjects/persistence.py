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
            post(b"Connection: close", b"Content-Length: 5", content=b"hello"),
            upload(keep_alive=False),
        ),
        (
            "close-and-request-after",
            post(b"Connection: close", b"Content-Length: 5", content=b"hello" + HIDDEN),
            upload(keep_alive=False),
        ),
        (
            "close-and-garbage-after",
            post(b"Connection: close", b"Content-Length: 5", content=b"hello\0\r\r\n"),
            upload(keep_alive=False),
        ),
        (
            "close-in-1-0-with-content",
            post(b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(keep_alive=False),
        ),
        (
            "keep-alive-in-1-0-with-content",
            post(b"Connection: keep-alive", b"Content-Length: 5", content=b"hello", version=b"HTTP/1.0"),
            upload(),
        ),
    )


def _closing() -> Iterator[Served]:
    parsed = echo(keep_alive=False)
    for name, lines in (
        ("close", [b"Connection: close"]),
        ("close-capitals", [b"Connection: CLOSE"]),
        ("close-in-list", [b"Connection: a, close , b"]),
        ("close-no-space", [b"Connection:a,close,b"]),
        ("close-tabs", [b"Connection: a\t,\tclose"]),
        ("close-empty-members", [b"Connection: ,,close,"]),
        ("close-in-second-line", [b"Connection: a", b"Connection: close"]),
        ("close-and-keep-alive", [b"Connection: keep-alive, close"]),
        ("close-before-keep-alive", [b"Connection: close", b"Connection: keep-alive"]),
        ("close-and-upgrade", [b"Connection: close, upgrade", b"Upgrade: x"]),
    ):
        yield name, get(*lines), parsed
    old = b"HTTP/1.0"
    yield "close-in-1-0", get(b"Connection: close", version=old), parsed
    yield ("close-and-keep-alive-in-1-0", get(b"Connection: keep-alive, close", version=old), parsed)
    yield "other-option-in-1-0", get(b"Connection: a", version=old), parsed
    yield "keep-alive-field-in-1-0", get(b"Keep-Alive: 9", version=old), parsed


def _persisting() -> Iterator[Served]:
    for name, lines in (
        ("keep-alive", [b"Connection: keep-alive"]),
        ("keep-alive-field", [b"Keep-Alive: timeout=5, max=1"]),
        ("connection-empty", [b"Connection:"]),
        ("connection-commas", [b"Connection: , ,"]),
        ("connection-closed", [b"Connection: closed"]),
        ("connection-close-notify", [b"Connection: close-notify"]),
        ("connection-not-close", [b"Connection: not close"]),
        ("connection-quoted-close", [b'Connection: "close"']),
        ("connection-semicolon", [b"Connection: close;a=b"]),
        ("proxy-connection-close", [b"Proxy-Connection: close"]),
        ("x-connection-close", [b"X-Connection: close"]),
        ("connection-host", [b"Connection: host"]),
        ("connection-te", [b"Connection: TE", b"TE: trailers"]),
    ):
        yield name, get(*lines), echo(host="corpus.test")
    yield (
        "upgrade-websocket",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        echo(upgrade="websocket"),
    )
    yield (
        "upgrade-h2c",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        echo(upgrade="h2c"),
    )
    old = b"HTTP/1.0"
    yield ("keep-alive-in-1-0", get(b"Connection: keep-alive", version=old), echo())
    yield "keep-alive-in-1-0-any-case", get(b"connection: Keep-Alive", version=old), echo()
    yield ("keep-alive-in-1-0-in-list", get(b"Connection: a, keep-alive", version=old), echo())

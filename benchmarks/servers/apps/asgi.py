"""The ASGI application for uvicorn: echo without a framework, files by Starlette's StaticFiles."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.staticfiles import StaticFiles

from benchmarks.servers.apps.shared import DIRECTORY, echo, store

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

TEXT = [(b"content-type", b"text/plain"), (b"vary", b"Accept-Encoding")]
GZIP = [*TEXT, (b"content-encoding", b"gzip")]
files = StaticFiles(directory=DIRECTORY)


async def application(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    """Return a text; send or store a file."""
    path = scope["path"]
    if path.startswith("/echo/"):
        text, fields = path[6:].encode(), TEXT
        if any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
            text, fields = echo(text, "gzip")[0], GZIP
        await respond(send, 200, text, fields)
    elif scope["method"] == "POST":
        content, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            content += message.get("body", b"")
            more = message.get("more_body", False)
        await respond(send, store(path, content, len(content)))
    else:
        await files({**scope, "root_path": "/files"}, receive, send)


async def respond(
    send: Send, status: int, content: bytes = b"", fields: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a complete response."""
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [*(fields or ()), length]})
    await send({"type": "http.response.body", "body": content})

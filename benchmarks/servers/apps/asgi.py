"""The ASGI application for uvicorn: echo without a framework, files by Starlette's StaticFiles."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from benchmarks.servers.apps.shared import DIRECTORY, compressed, store

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

files = StaticFiles(directory=DIRECTORY)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Handle one request."""
    path = scope["path"]
    if path.startswith("/echo/"):
        await echo(path[6:].encode(), scope, send)
    elif path.startswith("/files/"):
        if scope["method"] == "POST":
            await upload(path[7:], receive, send)
        else:
            await download(scope, receive, send)
    else:
        await respond(send, 404)


async def echo(text: bytes, scope: Message, send: Send) -> None:
    """Return the text."""
    fields = [(b"content-type", b"text/plain"), (b"vary", b"Accept-Encoding")]
    if any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
        text = compressed(text)
        fields.append((b"content-encoding", b"gzip"))
    await respond(send, 200, text, fields)


async def download(scope: Message, receive: Receive, send: Send) -> None:
    """Send a file."""
    try:
        await files({**scope, "root_path": "/files"}, receive, send)
    except HTTPException as error:
        await respond(send, error.status_code)


async def upload(name: str, receive: Receive, send: Send) -> None:
    """Store a file."""
    pieces = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    await respond(send, 201 if store(name, pieces, sum(map(len, pieces))) else 404)


async def respond(
    send: Send, status: int, content: bytes = b"", fields: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a complete response."""
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [*(fields or ()), length]})
    await send({"type": "http.response.body", "body": content})

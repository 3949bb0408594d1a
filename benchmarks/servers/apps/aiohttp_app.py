"""aiohttp: ``python -m benchmarks.servers.apps.aiohttp_app 8000``."""

import sys

from aiohttp import web

from benchmarks.servers.apps.shared import DIRECTORY, PIECE, compressed, store


async def echo(request: web.Request) -> web.Response:
    """Return the text."""
    text = request.match_info["text"].encode()
    fields = {"Content-Type": "text/plain", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        text = compressed(text)
        fields["Content-Encoding"] = "gzip"
    return web.Response(body=text, headers=fields)


async def upload(request: web.Request) -> web.Response:
    """Store a file."""
    pieces = [piece async for piece in request.content.iter_chunked(PIECE)]
    return web.Response(status=store(request.match_info["name"], pieces, request.content_length or 0))


if __name__ == "__main__":
    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/echo/{text}", echo)
    app.router.add_post("/files/{name}", upload)
    app.router.add_static("/files/", DIRECTORY)
    port = int(sys.argv[1])
    web.run_app(
        app, host="127.0.0.1", port=port, backlog=4096, keepalive_timeout=75, access_log=None, print=None
    )

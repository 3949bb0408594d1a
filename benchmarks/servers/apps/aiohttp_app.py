"""aiohttp: ``python -m benchmarks.servers.apps.aiohttp_app 8000``."""

import sys

from aiohttp import web

from benchmarks.servers.apps.shared import DIRECTORY, echo, store


async def text(request: web.Request) -> web.Response:
    """Return the text."""
    accepted = request.headers.get("Accept-Encoding", "")
    body, fields = echo(request.match_info["text"].encode(), accepted)
    return web.Response(body=body, headers=fields)


async def upload(request: web.Request) -> web.Response:
    """Store a file."""
    size = request.content_length or 0
    return web.Response(status=store(request.match_info["name"], await request.read(), size))


if __name__ == "__main__":
    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/echo/{text}", text)
    app.router.add_post("/files/{name}", upload)
    app.router.add_static("/files/", DIRECTORY)
    port = int(sys.argv[1])
    web.run_app(
        app, host="127.0.0.1", port=port, backlog=4096, keepalive_timeout=75, access_log=None, print=None
    )

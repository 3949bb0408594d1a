r"""Reactor: an HTTP/1.1 server in pure Python, one thread, one selector.

from reactor import Response, Router, serve

routes = Router()


@routes.get("/hello/{name}")
def hello(request):
    return Response.text(f"Hello, {request.params['name']}!\n")


serve(routes, port=8000)
"""

from reactor.http11.grammar import ProtocolError
from reactor.http11.message import FileSlice, LiveStream, Request, Response
from reactor.routing import Router, in_memory
from reactor.server import Server, StartError, serve
from reactor.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "FileSlice",
    "LiveStream",
    "ProtocolError",
    "Request",
    "Response",
    "Router",
    "Server",
    "Settings",
    "StartError",
    "in_memory",
    "serve",
]

r"""Reactor: an HTTP/1.1 server in pure Python, one thread, one selector.

from reactor import Router, serve

routes = Router()


@routes.get("/hello/{name}")
def hello(request):
    return f"Hello, {request.params['name']}!\n"


serve(routes, port=8000)
"""

import sys

# This file must compile on any Python version, and import nothing else before this check.
if sys.version_info < (3, 11):  # noqa: UP036  # in a checkout, pip does not check this
    _VERSION = ".".join(str(number) for number in sys.version_info[:3])
    _REASON = "Python 3.11 or newer is required; this is " + _VERSION
    # argv[0] is "-m" while ``python -m`` locates the module; orig_argv (Python 3.10) has the module's name.
    _MODULES = [word.split(".")[0] for word in getattr(sys, "orig_argv", ["reactor"])]
    _RUN_AS_MODULE = sys.argv[:1] == ["-m"] and ("reactor" in _MODULES or "-mreactor" in _MODULES)
    if _RUN_AS_MODULE or "".join(sys.argv[:1]).split("/")[-1] in ("reactor", "reactor.pyz"):
        sys.stderr.write("reactor: " + _REASON + "\n")
        sys.exit(3)
    raise ImportError("reactor: " + _REASON)

from pathlib import Path

# In a checkout, the package "handlers" is next to this one; when installed, it is inside (setup.cfg).
if (Path(__file__).resolve().parents[1] / "handlers" / "files").is_dir():
    __path__.append(str(Path(__file__).resolve().parents[1]))

from reactor._version import __version__ as __version__
from reactor.application import AuthRouter, EventsResponse, Response, Router
from reactor.http11.body import JSONValue
from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError
from reactor.http11.event_stream import EventStream
from reactor.http11.form import Form, FormFile
from reactor.http11.message import FileSlice, LiveStream, Request
from reactor.http11.multidict import MultiDict
from reactor.routing import buffered
from reactor.server.listen import StartError
from reactor.server.server import Server, serve
from reactor.settings import Settings
from reactor.timer import Timer

__all__ = [
    "AuthRouter",
    "Deferred",
    "EventStream",
    "EventsResponse",
    "FileSlice",
    "Form",
    "FormFile",
    "HTTPError",
    "JSONValue",
    "LiveStream",
    "MultiDict",
    "Request",
    "Response",
    "Router",
    "Server",
    "Settings",
    "StartError",
    "Timer",
    "buffered",
    "serve",
]

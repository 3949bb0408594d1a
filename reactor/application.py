"""``Response``, ``Router`` and ``AuthRouter`` as applications import them: with files and streams of events.

    routes = Router()
    routes.static("/assets", "assets")

    @routes.get("/report")
    def report(request):
        return Response.file("report.pdf", request)

They are those of ``http11/message.py``, ``routing.py`` and ``basic_auth.py`` with a few more methods. Files
are sent by the code of the routes of ``/files`` (``handlers/files/``).
"""

import os
import weakref
from typing import Self

from reactor import basic_auth, routing
from reactor.handlers.files import static
from reactor.handlers.files.any_file import AnyFile
from reactor.handlers.files.download import download
from reactor.handlers.files.media_types import guess
from reactor.http11 import message
from reactor.http11.event_stream import EventStream, event_stream_headers
from reactor.http11.message import HeaderSource, Request, header_pairs


class Response(message.Response):
    """A response: a status, headers (a mapping, or (name, value) pairs), and content."""

    __slots__ = ()

    @classmethod
    def file(cls, path: str | os.PathLike[str], request: Request, headers: HeaderSource = ()) -> Self:
        """Respond with a file, ranges of it, or 304, as the request asks; raise HTTPError.

        The media type is guessed from the extension, unless ``headers`` has a Content-Type. A file that is
        missing, unreadable or not a regular file is 404.

        The application chooses the path, which may be anywhere and is not checked. For a path with a part
        that a client sends, use ``Router.static``.
        """
        pairs = header_pairs(headers)
        types = [value for name, value in pairs if name.lower() == "content-type"]
        added = tuple([pair for pair in pairs if pair[0].lower() != "content-type"])
        source = AnyFile(guess if not types else lambda name: types[0])
        found = download(source, request, os.fspath(path))
        given = {name.lower() for name, _ in added} - {"vary"}  # which may have several lines
        kept = tuple([pair for pair in found.headers if pair[0].lower() not in given])
        return cls(found.status, found.content, kept + added, found.compress_min_size)

    @staticmethod
    def events(headers: HeaderSource = ()) -> "EventsResponse":
        """Make a response of server-sent events; send them with its ``content``."""
        return EventsResponse(headers)


class EventsResponse(Response):
    """A response whose ``content`` is a stream of events, which is sent until it is closed."""

    __slots__ = ()

    content: EventStream

    def __init__(self, headers: HeaderSource = ()) -> None:
        super().__init__(200, EventStream(), event_stream_headers(headers))


class Router(routing.Router):
    """A set of routes for a server; with ``cors`` it also responds to preflight requests."""

    def static(self, prefix: str, directory: str | os.PathLike[str]) -> None:
        """Serve the files of a directory below a path, such as "/assets", to GET and HEAD.

        Ranges, conditions and compression are those of ``Response.file``. Directories are not listed, names
        that begin with a dot are not served, and no symbolic link is followed; all of these are 404. Raise
        OSError if the directory cannot be opened, and ValueError for an invalid prefix. The directory is
        closed when the router is no longer used.
        """
        if not prefix.startswith("/"):
            raise ValueError(f"invalid prefix: {prefix!r} (expected a leading slash)")
        files = static.StaticFiles(directory)
        weakref.finalize(self, files.close)
        self.get(prefix.removesuffix("/") + static.PATTERN)(files.get)


class AuthRouter(basic_auth.AuthRouter, Router):
    """A ``basic_auth.AuthRouter`` with ``static``."""

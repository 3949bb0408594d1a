"""The routes of a directory: which requests are for a directory, and not for a file.

    Request                           Answer
    GET of a name that ends in "/"    the listing of the directory
    GET of a directory without it     301 to the same with it
    POST to a name that ends in "/"   the files of a form, stored in the directory
    any other                         left to whoever serves files

The name of the shared directory itself is "". What a listing is, and what a form, stands elsewhere.
"""

import os
from collections.abc import Callable

from handlers.directory import read_entries
from handlers.form_upload import FormUpload, Places
from handlers.listing import Held, answer
from handlers.store import Store
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import Request, Response
from reactor.routing import Handler, Sink, SinkFactory

PAGE = "index.html"

# Given a request and the name of a file: its response; raises ProtocolError.
Download = Callable[[Request, str], Response]


def is_directory_name(name: str) -> bool:
    """Say whether a name can be that of a directory only."""
    return not name or name.endswith("/")


def listing_too(store: Store, download: Download, may_upload: bool) -> Handler:
    """Make a handler that lists directories, and leaves files to ``download``.

    Where the store serves pages, the page of a directory stands for its listing.
    """
    held = Held()

    def get(request: Request) -> Response:
        name = request.params["name"]
        if is_directory_name(name):
            page = _page_of(download, request, name) if store.serves_pages else None
            if page is not None:
                return page
            entries = read_entries(store.open_directory(name), store.is_visible)
            return answer(request, f"/files/{name}", entries, may_upload, held)
        try:
            return download(request, name)
        except ProtocolError as error:
            if error.status != 404 or not _is_directory(store, name):
                raise
        return with_slash(request)

    return get


def forms_too(store: Store, place: SinkFactory) -> SinkFactory:
    """Make a sink factory that takes forms for directories, and leaves files to ``place``."""
    places = Places()

    def open_sink(request: Request) -> Sink:
        name = request.params["name"]
        return FormUpload(store, request, name, places) if is_directory_name(name) else place(request)

    return open_sink


def form_answers_too(upload: Handler) -> Handler:
    """Make a handler that answers forms, and leaves files to ``upload``."""

    def post(request: Request) -> Response:
        if not isinstance(request.content, FormUpload):
            return upload(request)
        request.content.commit()
        return Response(303, b"", (("Location", "./"),))

    return post


def with_slash(request: Request) -> Response:
    """Send a client on to the same path with a slash: links in a listing are relative to it."""
    query = f"?{request.query}" if request.query else ""
    # The dot keeps a colon in the name from being read as that of a scheme (RFC 3986, 4.2).
    last = request.path.rpartition("/")[2]
    return Response(301, b"", (("Location", f"./{last}/{query}"),))


def _page_of(download: Download, request: Request, name: str) -> Response | None:
    """Answer with the page of a directory; None where it has none."""
    try:
        return download(request, name + PAGE)
    except ProtocolError as error:
        if error.status != 404:
            raise
    return None


def _is_directory(store: Store, name: str) -> bool:
    try:
        os.close(store.open_directory(name))
    except ProtocolError:
        return False
    return True

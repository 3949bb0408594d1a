"""``/files/{name...}``: GET sends a file, POST and PUT store one, DELETE removes it where that is allowed.

What a name means that is a directory's stands in ``handlers/files/routes.py``.

1. A download is the whole of a file, parts of it, or the word that it has not changed
   (``handlers/files/download.py``).
2. An upload goes to its place as it comes, and stands under its name when it is whole
   (``handlers/files/upload.py``). Conditions are asked before the content is taken, and again before it
   replaces anything (RFC 9110, 13); a digest is checked on the way (``handlers/files/upload.py``).
3. One that is interrupted may go on, where that is wanted (``handlers/files/resumable.py``).
"""

import os
from collections.abc import Callable
from functools import partial

from reactor.http11.conditional import CONDITIONAL, Validators, evaluate, is_conditional
from reactor.http11.errors import HTTPError
from reactor.http11.headers import Headers
from reactor.http11.message import Request, Response
from reactor.routing import Handler, Router, Sink, SinkFactory

from .csrf import require_same_origin
from .directory import read_entries
from .download import download
from .forms import FormUpload, OpenFileLimit
from .listing import EntryBudget, answer
from .resumable import UploadRegistry, Writer
from .store import Condition, Store
from .upload import CheckedUpload, Upload, read_digests

PATTERN = "/files/{name...}"

# An upload with none of these is stored as it comes, whatever stands there.
_SPECIAL = CONDITIONAL | {"content-encoding", "content-range", "repr-digest", "upload-complete"}


class Files:
    """What answers the requests for the files of one store.

    ``partials`` are the uploads that may go on after they were interrupted, None for none. ``allowed_origin``
    is the one whose pages may upload as this server's own may, "*" for all.
    """

    def __init__(
        self, store: Store, partials: UploadRegistry | None = None, allowed_origin: str | None = None
    ) -> None:
        self._store = store
        self._partials = partials
        self._refuse_others = require_same_origin(allowed_origin)
        self._form_or_file = forms_too(store, self._place)

    def install(self, routes: Router, read_only: bool = False, allow_delete: bool = False) -> None:
        """Add the routes; those that change something only where that is allowed."""
        routes.get("/files")(with_slash)
        routes.get(PATTERN)(listing_too(self._store, partial(download, self._store), not read_only))
        if read_only:
            return
        routes.post(PATTERN, sink=self._place_post)(form_answers_too(self._stored))
        routes.route("PUT", PATTERN, sink=self._place)(self._stored)
        if allow_delete:
            routes.route("DELETE", PATTERN)(self._delete)
        if self._partials is not None:
            self._partials.install(routes)

    # OpenFileLimit for content.

    def _place_post(self, request: Request) -> Sink:
        self._refuse_others(request)
        return self._form_or_file(request)

    def _place(self, request: Request) -> Sink:
        if _SPECIAL.isdisjoint(request.headers):
            return self._store.create(request.params["name"], max(0, request.head.length))
        complete = request.headers.get("upload-complete")
        if self._partials is not None and complete is not None:
            return self._partials.begin(request, lambda: self._place_special(request))
        if complete == "?0":  # it would stand there as if it were the whole
            raise HTTPError(400, "an upload in parts is not taken here")
        return self._place_special(request)

    def _place_special(self, request: Request) -> Upload | CheckedUpload:
        """Make a place for an upload with conditions or a digest; raise HTTPError."""
        headers = request.headers
        if request.method == "PUT":
            _check_representation(headers)
        digest = headers.get("repr-digest")
        digests = {} if digest is None else read_digests(digest)
        condition = _condition(request, self._store.wall_clock)
        upload = self._store.create(request.params["name"], max(0, request.head.length), condition)
        return CheckedUpload(upload, digests) if digests else upload

    # Answers.

    def _stored(self, request: Request) -> Response:
        """Let an upload stand under its name; say whether PUT replaced what stood there (RFC 9110, 9.3.4)."""
        if isinstance(request.content, Writer):
            return request.content.answer_beginning()
        upload: Upload = request.content
        upload.commit(late=request.head.length < 0)  # the last chunk may come long after the octets
        if upload.replaces and request.method == "PUT":
            return Response(204)
        return Response(201, b"", (("Location", request.path),))

    def _delete(self, request: Request) -> Response:
        self._store.remove(request.params["name"], _condition(request, self._store.wall_clock))
        return Response(204)


def _check_representation(headers: Headers) -> None:
    """See that the content is the whole of what is to stand there (RFC 9110, 9.3.4); raise HTTPError."""
    if headers.get("content-range") is not None:  # RFC 9110, 14.5
        raise HTTPError(400, "a part of a file cannot be stored")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPError(415, "content is stored as it comes", (("Accept-Encoding", "identity"),))


def _condition(request: Request, wall_clock: Callable[[], float]) -> Condition | None:
    """Return the precondition of a request that changes something; None where there is none."""
    if not is_conditional(request.headers):
        return None

    def check(current: Validators | None) -> None:
        status = evaluate(request.method, request.headers, current, wall_clock())
        if status is not None:
            raise HTTPError(status, "what stands there is not what the request expects")

    return check


# DOC OF handlers/files/routes.py
# """The routes of a directory: which requests are for a directory, and not for a file.
#
#     Request                           Answer
#     GET of a name that ends in "/"    the listing of the directory
#     GET of a directory without it     301 to the same with it
#     POST to a name that ends in "/"   the files of a form, stored in the directory
#     any other                         left to whoever serves files
#
# The name of the shared directory itself is "". What a listing is, and what a form, stands elsewhere.
# """


PAGE = "index.html"

# Given a request and the name of a file: its response; raises HTTPError.
Download = Callable[[Request, str], Response]


def is_directory_name(name: str) -> bool:
    """Say whether a name can be that of a directory only."""
    return not name or name.endswith("/")


def listing_too(store: Store, download: Download, may_upload: bool) -> Handler:
    """Make a handler that lists directories, and leaves files to ``download``.

    Where the store serves pages, the page of a directory stands for its listing.
    """
    held = EntryBudget()

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
        except HTTPError as error:
            if error.status != 404 or not _is_directory(store, name):
                raise
        return with_slash(request)

    return get


def forms_too(store: Store, place: SinkFactory) -> SinkFactory:
    """Make a sink factory that takes forms for directories, and leaves files to ``place``."""
    places = OpenFileLimit()

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
    except HTTPError as error:
        if error.status != 404:
            raise
    return None


def _is_directory(store: Store, name: str) -> bool:
    try:
        os.close(store.open_directory(name))
    except HTTPError:
        return False
    return True

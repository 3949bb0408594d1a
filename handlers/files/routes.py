"""``/files/{name...}``: GET sends a file, POST and PUT store one, DELETE removes one where that is allowed.

    Request                           Response
    GET of a file                     the file, ranges of it, or 304 (``download.py``)
    GET of a name that ends in "/"    the listing of the directory (``listing.py``)
    GET of a directory without it     301 to the same path with it
    POST and PUT of a file            the file is stored (``upload.py``)
    POST to a name that ends in "/"   the files of a form are stored in the directory (``forms.py``)
    DELETE of a file                  the file is removed

1. The content of an upload goes to a temporary file as it comes, which is renamed when it is complete.
   Conditions are checked before the content is read, and again before it replaces anything
   (RFC 9110, 13); a digest is checked on the way.
2. An interrupted upload can be resumed, where that is enabled (``resumable.py``).

The name of the shared directory itself is "".
"""

import os
from collections.abc import Callable

from reactor.http11.conditional import CONDITIONAL, Validators, evaluate, is_conditional
from reactor.http11.errors import HTTPError
from reactor.http11.headers import Headers
from reactor.http11.message import Request, Response
from reactor.routing import Router, Sink

from .csrf import require_same_origin
from .directory import read_entries
from .download import download
from .forms import FormUpload, OpenFileLimit
from .listing import EntryBudget, list_directory
from .resumable import UploadRegistry, UploadRequest
from .store import Store
from .upload import CheckedUpload, Upload, read_digests

PATTERN = "/files/{name...}"
PAGE = "index.html"

# An upload with none of these is stored as it comes, whether or not there is a file of its name.
_SPECIAL = CONDITIONAL | {"content-encoding", "content-range", "repr-digest", "upload-complete"}


class Files:
    """The handlers for the files of one store.

    ``registry`` has the uploads that can be resumed, None to disable that. ``allowed_origin`` is the origin
    whose pages may upload as this server's own may, "*" for all.
    """

    def __init__(
        self,
        store: Store,
        registry: UploadRegistry | None = None,
        allowed_origin: str | None = None,
        read_only: bool = False,
    ) -> None:
        self._store = store
        self._registry = registry
        self._read_only = read_only
        self._allowed_origin = allowed_origin
        self._listed_entries = EntryBudget()
        self._form_files = OpenFileLimit()

    def install(self, routes: Router, allow_delete: bool = False) -> None:
        """Add the routes; those that change something only where that is allowed."""
        routes.get("/files")(redirect_to_slash)
        routes.get(PATTERN)(self.get)
        if self._read_only:
            return
        routes.post(PATTERN, sink=self.open_upload)(self.commit)
        routes.route("PUT", PATTERN, sink=self.open_upload)(self.commit)
        if allow_delete:
            routes.route("DELETE", PATTERN)(self.delete)
        if self._registry is not None:
            self._registry.install(routes)

    # Reading.

    def get(self, request: Request) -> Response:
        """Send a file, the listing of a directory, or its page where the store serves pages."""
        name = request.params["name"]
        if is_directory_name(name):
            page = self._page_of(request, name) if self._store.serves_pages else None
            return self._list(request, name) if page is None else page
        try:
            return download(self._store, request, name)
        except HTTPError as error:
            if error.status != 404 or not self._is_directory(name):
                raise
        return redirect_to_slash(request)

    def _page_of(self, request: Request, name: str) -> Response | None:
        """Send the page of a directory; None where it has none."""
        try:
            return download(self._store, request, name + PAGE)
        except HTTPError as error:
            if error.status != 404:
                raise
        return None

    def _list(self, request: Request, name: str) -> Response:
        entries = read_entries(self._store.open_directory(name), self._store.is_visible)
        return list_directory(request, f"/files/{name}", entries, not self._read_only, self._listed_entries)

    def _is_directory(self, name: str) -> bool:
        try:
            os.close(self._store.open_directory(name))
        except HTTPError:
            return False
        return True

    # Storing and removing.

    def open_upload(self, request: Request) -> Sink:
        """Open the sink for the content of POST or PUT; raise HTTPError."""
        name = request.params["name"]
        head = request.head
        if request.method == "POST":
            require_same_origin(request, self._allowed_origin)
            if is_directory_name(name):
                return FormUpload(self._store, request, name, self._form_files)
        if _SPECIAL.isdisjoint(head.headers):
            return self._store.create(name, max(0, head.length))
        complete = head.headers.get("upload-complete")
        if self._registry is not None and complete is not None:
            creation = self._registry.read_creation(request)  # before anything is kept of the request
            return self._registry.begin(creation, self._open_special(request))
        if complete == "?0":  # without the rest it would be stored as if it were complete
            raise HTTPError(400, "resumable uploads are disabled (Upload-Complete: ?0)")
        return self._open_special(request)

    def _open_special(self, request: Request) -> Upload | CheckedUpload:
        """Open an upload with conditions or a digest; raise HTTPError."""
        headers = request.headers
        if request.method == "PUT":
            _check_representation(headers)
        digest = headers.get("repr-digest")
        digests = {} if digest is None else read_digests(digest)
        condition = precondition(request, self._store.wall_clock)
        upload = self._store.create(request.params["name"], max(0, request.head.length), condition)
        return CheckedUpload(upload, digests) if digests else upload

    def commit(self, request: Request) -> Response:
        """Commit a file, or those of a form; a response to PUT says if it replaced one (RFC 9110, 9.3.4)."""
        upload = request.upload
        if isinstance(upload, FormUpload):
            upload.commit()
            return Response(303, b"", (("Location", "./"),))
        if isinstance(upload, UploadRequest):
            return upload.answer_creation()
        assert isinstance(upload, Upload), "open_upload opens no other sink"
        upload.commit(late=request.head.length < 0)  # the last chunk may come long after the octets
        if upload.replaces and request.method == "PUT":
            return Response(204)
        return Response(201, b"", (("Location", request.target.path),))

    def delete(self, request: Request) -> Response:
        """Remove a file."""
        self._store.remove(request.params["name"], precondition(request, self._store.wall_clock))
        return Response(204)


def is_directory_name(name: str) -> bool:
    """Return whether a name can be that of a directory only."""
    return not name or name.endswith("/")


def redirect_to_slash(request: Request) -> Response:
    """Redirect to the same path with a slash at its end: links in a listing are relative to it."""
    query = f"?{request.query}" if request.query else ""
    # The dot keeps a colon in the name from being read as that of a scheme (RFC 3986, 4.2).
    last = request.path.rpartition("/")[2]
    return Response(301, b"", (("Location", f"./{last}/{query}"),))


def _check_representation(headers: Headers) -> None:
    """Check that the content is a complete representation (RFC 9110, 9.3.4); raise HTTPError."""
    if headers.get("content-range") is not None:  # RFC 9110, 14.5
        raise HTTPError(400, "partial PUT is not supported (Content-Range)")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPError(415, "Content-Encoding is not supported for uploads", (("Accept-Encoding", "identity"),))


class Precondition:
    """The precondition of a request that changes a file: a ``Condition`` for the store."""

    __slots__ = ("_request", "_wall_clock")

    def __init__(self, request: Request, wall_clock: Callable[[], float]) -> None:
        self._request = request
        self._wall_clock = wall_clock

    def check(self, current: Validators | None) -> None:
        """Evaluate it with the validators of the file, None for no file; raise HTTPError when it is false."""
        request = self._request
        status = evaluate(request.method, request.headers, current, self._wall_clock())
        if status is not None:
            raise HTTPError(status, "precondition failed: the file does not match the request's conditions")


def precondition(request: Request, wall_clock: Callable[[], float]) -> Precondition | None:
    """Return the precondition of a request, or None."""
    return Precondition(request, wall_clock) if is_conditional(request.headers) else None

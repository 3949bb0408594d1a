"""The routes of ``/files/{name...}``: download, list, upload and delete files.

    Request                           Response
    GET NAME                          the file, ranges of it, or 304 (``download.py``)
    GET NAME/                         the directory listing (``listing.py``)
    GET NAME, which is a directory    301 to NAME/
    POST or PUT NAME                  store the file (``upload.py``)
    POST NAME/                        store the files of a form in the directory (``forms.py``)
    DELETE NAME                       remove the file, if deletion is enabled
    GET / by a browser                the listing of the shared directory (``root.py``)

1. A file gets its name when the upload is complete. Preconditions are checked before the body is read and
   again before a file is replaced (RFC 9110, 13); a digest is computed while the body is received.
2. An interrupted upload can be resumed, if that is enabled (``resumable.py``).

The name of the shared directory itself is "".
"""

import os
from collections.abc import Callable

from reactor.http11.conditional import CONDITIONAL, Validators, evaluate, is_conditional
from reactor.http11.cors import ORIGIN_HEADERS
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request, Response
from reactor.http11.redirect import redirect_to_slash
from reactor.http11.target import percent_encoded
from reactor.routing import Router, Sink

from .csrf import require_same_origin
from .digests import CheckedUpload, read_digests
from .download import download
from .durable import storing
from .forms import FormUpload
from .listing import EntryBudget, list_directory
from .metadata import etags_of_files, precondition_failed
from .resumable import UploadRegistry, UploadSink, read_complete
from .store import Store
from .upload import Upload, check_coding, check_complete, require_length

PATTERN = "/files/{name...}"
PAGE = "index.html"
BASE = "files/"  # the URL of the shared directory, relative to /

# An upload to a file with none of these headers is stored without further checks.
_SPECIAL = CONDITIONAL | ORIGIN_HEADERS
_SPECIAL |= {"content-encoding", "content-range", "repr-digest", "upload-complete"}


class Files:
    """The handlers for the files of one store.

    ``registry`` holds the resumable uploads; None disables them. ``allowed_origin`` is another origin whose
    pages may upload, "*" for any.
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
        self._read_only = read_only or store.is_single_file
        self._allowed_origin = allowed_origin
        self._listed_entries = EntryBudget()

    def install(self, routes: Router, allow_delete: bool = False) -> None:
        """Add the routes; no upload or delete routes if read-only."""
        routes.get("/files")(self.redirect)
        routes.get(PATTERN)(self.get)
        if self._read_only:
            return
        commit = storing(self.commit, self._store.fsync)
        limits = () if self._registry is None else (self._registry.limit_header,)
        routes.post(PATTERN, self.open_upload, limits)(commit)
        routes.put(PATTERN, self.open_upload, limits)(commit)
        if allow_delete:
            routes.delete(PATTERN)(self.delete)
        if self._registry is not None:
            self._registry.install(routes, storing(self._registry.answer_resumed, self._store.fsync))

    # Reading.

    def get(self, request: Request) -> Response:
        """Send a file or a directory listing; index.html in place of a listing if the store serves pages."""
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

    def redirect(self, request: Request) -> Response:
        """Redirect to the listing of the shared directory, if it is available."""
        self._store.check()
        return redirect_to_slash(request)

    def _page_of(self, request: Request, name: str) -> Response | None:
        """Return the response with a directory's index.html; None without one."""
        try:
            return download(self._store, request, name + PAGE)
        except HTTPError as error:
            if error.status != 404:
                raise
        return None

    def front_page(self, request: Request) -> Response:
        """Answer ``GET /``: the listing of the shared directory; with pages, redirect to their own URL."""
        if self._store.serves_pages:  # the links of an index.html are relative to /files/
            return Response(302, b"", (("Location", f"./{BASE}"), ("Vary", "Accept")))
        return self._list(request, "", BASE)

    def _list(self, request: Request, name: str, base: str = "") -> Response:
        entries = self._store.entries(name)
        may_upload = not self._read_only
        return list_directory(request, f"/files/{name}", entries, may_upload, self._listed_entries, base)

    def _is_directory(self, name: str) -> bool:
        try:
            os.close(self._store.open_directory(name))
        except HTTPError as error:
            if error.status != 404:
                raise
            return False
        return True

    # Storing and removing.

    def open_upload(self, request: Request) -> Sink:
        """Open the sink for the body of a POST or PUT; raise HTTPError."""
        name = request.params["name"]
        head = request.head
        if head.length == 0:
            require_length(request.headers)
        is_directory = is_directory_name(name)
        if not is_directory and _SPECIAL.isdisjoint(request.headers):
            return self._store.create(name, max(0, head.length))
        if request.method == "POST":
            require_same_origin(request, self._allowed_origin)
            if is_directory:
                check_complete(request.headers)
                check_coding(request.headers)
                return FormUpload(self._store, request, name)
        complete = read_complete(request.headers)
        if self._registry is not None and complete is not None:
            creation = self._registry.read_creation(request, complete)  # validate before creating a file
            return self._registry.begin(creation, self._open_special(request, is_resumable=True))
        if complete is False:  # a partial body must not be stored as a complete file
            raise HTTPError(400, "resumable uploads are disabled: Upload-Complete: ?0 requires --resumable")
        return self._open_special(request)

    def _open_special(self, request: Request, is_resumable: bool = False) -> Upload | CheckedUpload:
        """Open an upload with conditions or a digest; raise HTTPError."""
        headers = request.headers
        check_complete(headers)
        if request.method == "PUT":
            check_coding(headers)
        digest = headers.get("repr-digest")
        digests = {} if digest is None else read_digests(digest)
        condition = precondition(request, self._store.wall_clock)
        size = max(0, request.head.length)
        upload = self._store.create(request.params["name"], size, condition, is_resumable=is_resumable)
        return CheckedUpload(upload, digests) if digests else upload

    def commit(self, request: Request) -> Response:
        """Commit an upload. PUT returns 204 if it replaced a file, 201 otherwise (RFC 9110, 9.3.4)."""
        upload = request.upload
        if isinstance(upload, FormUpload):
            upload.commit()
            return Response(303, b"", (("Location", "./"),))
        if isinstance(upload, UploadSink):
            return upload.answer_creation()
        assert isinstance(upload, Upload), f"unexpected upload: {upload!r}"
        upload.commit(touch=request.head.length < 0)  # the last chunk may arrive long after the data
        if upload.replaces and request.method == "PUT":
            return Response(204)
        url_path = request.head.site.removed + request.target.path  # not request.url_path: saves a call
        return Response(201, b"", (("Location", percent_encoded(url_path)),))

    def delete(self, request: Request) -> Response:
        """Remove a file."""
        self._store.remove(request.params["name"], precondition(request, self._store.wall_clock))
        return Response(204)


def is_directory_name(name: str) -> bool:
    """Return whether a name is empty or ends in "/", and so can only be a directory."""
    return not name or name.endswith("/")


class Precondition:
    """The precondition of a request that changes a file; a ``Condition`` for the store.

    The request changes the file in all codings, so the ETag of any of them is compared.
    """

    __slots__ = ("_headers", "_method", "_wall_clock")

    def __init__(self, request: Request, wall_clock: Callable[[], float]) -> None:
        self._method = request.method
        self._headers = request.headers
        self._wall_clock = wall_clock
        for name in ("If-Match", "If-None-Match"):
            tags = self._headers.get(name)
            if tags is not None:
                self._headers = self._headers.replacing(name, etags_of_files(tags))

    def check(self, current: Validators | None) -> None:
        """Raise HTTPError unless it is true for a file with these validators (None: no file)."""
        status = evaluate(self._method, self._headers, current, self._wall_clock())
        if status is not None:
            raise HTTPError(status, precondition_failed(current))


def precondition(request: Request, wall_clock: Callable[[], float]) -> Precondition | None:
    """Return the precondition of a request; None if it has none."""
    return Precondition(request, wall_clock) if is_conditional(request.headers) else None

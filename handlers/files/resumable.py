"""Resumable uploads: resume an interrupted upload where it stopped (draft-ietf-httpbis-resumable-upload).

    Request                Its headers                        Response
    PUT /files/name        Upload-Complete: ?0                201 with Location: /uploads/TOKEN
                           Upload-Complete: ?1                first 104 with Location: /uploads/TOKEN; when
                                                              the body is complete, 201, or 204 if a file
                                                              was replaced
    HEAD /uploads/TOKEN    -                                  204 with Upload-Offset: bytes received
    PATCH /uploads/TOKEN   Upload-Offset: bytes received,     204 with Upload-Offset
                           Upload-Complete: ?0
                           the same, Upload-Complete: ?1      201, or 204 if a file was replaced
    DELETE /uploads/TOKEN  -                                  204: cancelled

A POST gets 201 even if a file was replaced.

1. A POST or PUT with ``Upload-Complete`` starts a resumable upload. Like any upload it is written to a
   temporary file, but the file is kept when the connection is lost.
2. One request at a time may write. A later request takes over from an earlier one, whose connection may
   be lost without the server having noticed.
3. The number of uploads is limited; at the limit, the least recently used idle upload is removed. All are
   removed when the server stops.

Tokens cannot be guessed: any client that knows one may resume the upload.
"""

import re
import secrets
from typing import NamedTuple

from reactor.http11.errors import HTTPError, content_too_large, quote
from reactor.http11.headers import Headers
from reactor.http11.message import HeaderPairs, Request, Response
from reactor.http11.target import percent_encoded
from reactor.routing import InterimSink, Router

from .upload import CheckedUpload, Upload, require_length

MAX_UPLOADS = 64  # each keeps a file open
MEDIA_TYPE = "application/partial-upload"
PATTERN = "/uploads/{token}"

# sf-integer, without a sign, and sf-boolean                                       RFC 8941, 3.3.1 and 3.3.6
_is_integer = re.compile(r"[0-9]{1,15}", re.ASCII).fullmatch
_BOOLEANS = {"?0": False, "?1": True}


class ResumableUpload:
    """An upload that may span several requests; ``writer`` is the request that may write, or None."""

    def __init__(
        self, sink: Upload | CheckedUpload, path: str, always_created: bool, length: int | None
    ) -> None:
        self.sink = sink
        self.path = path  # the request path of the file
        self.always_created = always_created  # the final response is 201 even if a file was replaced (POST)
        self.length = length  # of the complete upload in bytes; None if unknown
        self.offset = 0
        self.writer: UploadSink | None = None


class Creation(NamedTuple):
    """The parsed headers of a request that starts an upload.

    ``path``, ``always_created`` and ``length`` are as in ``ResumableUpload``. ``complete`` is true if no
    other request will follow. ``version`` is the client's version of the draft, or None.
    """

    path: str
    always_created: bool
    length: int | None
    complete: bool
    version: int | None


class UploadSink(InterimSink):
    """A sink that appends the body of one request to an upload."""

    __slots__ = ("_registry", "complete", "interim", "token", "upload")

    def __init__(
        self,
        registry: "UploadRegistry",
        token: str,
        complete: bool,
        interim: tuple[int, HeaderPairs] | None = None,
    ) -> None:
        self._registry = registry
        self.complete = complete
        self.token = token
        self.interim = interim
        self.upload = registry.touch(token)
        self.upload.writer = self

    def write(self, data: bytes) -> None:
        """Append data; raise HTTPError if it is too much, or if another request has taken over."""
        self._check_current()
        upload = self.upload
        limit = self._registry.max_size if upload.length is None else upload.length
        if upload.offset + len(data) > limit:
            raise HTTPError(413, f"upload too large: over {limit} bytes")
        upload.sink.write(data)
        upload.offset += len(data)

    def finish(self) -> "UploadSink":
        """Return itself for the handler; raise HTTPError if another request has taken over."""
        self._check_current()
        return self

    def _check_current(self) -> None:
        """Raise HTTPError(409) if another request has taken over, or if the upload was cancelled."""
        if self.upload.writer is not self:
            raise HTTPError(409, "another request took over this upload, or it was cancelled")

    def answer(self) -> Response:
        """Commit a complete upload; return the response, which contains the progress of an incomplete one."""
        upload = self.upload
        if not self.complete:
            return Response(204, b"", _progress_headers(upload))
        if upload.length is not None and upload.offset != upload.length:
            raise HTTPError(
                400,
                f"upload incomplete: {upload.offset} of {upload.length} bytes received",
                _progress_headers(upload),
            )
        try:
            finished = upload.sink.finish()
            finished.commit(touch=True)
        finally:  # drop it after a failed commit too: a retry would fail again
            self._registry.drop(self.token)
        progress = (("Upload-Complete", "?1"), ("Upload-Offset", str(upload.offset)))
        if finished.replaces and not upload.always_created:
            return Response(204, b"", progress)
        return Response(201, b"", (("Location", percent_encoded(upload.path)), *progress))

    def answer_creation(self) -> Response:
        """Return the response to the request that started the upload, with the Location to resume it."""
        response = self.answer()
        if self.complete:
            return response
        location = ("Location", resource_path(self.token))
        return Response(201, b"", (location, *response.headers, self._registry.limit_header))

    def close(self) -> None:
        """Stop writing; another request may resume the upload."""
        if self.upload.writer is self:
            self.upload.writer = None


class UploadRegistry(dict[str, ResumableUpload]):
    """The resumable uploads by token, least recently used first.

    ``max_size`` is the maximum length of an upload in bytes.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self.max_size = max_size

    def add(self, upload: ResumableUpload) -> str:
        """Add an upload; return its token. At the limit, remove the least recently used idle upload."""
        idle = [token for token, each in self.items() if each.writer is None]
        if len(self) >= MAX_UPLOADS:
            if not idle:
                upload.sink.close()
                raise HTTPError(
                    503, f"too many concurrent resumable uploads (limit: {MAX_UPLOADS}); try again later"
                )
            self.drop(idle[0])
        token = secrets.token_urlsafe(16)
        self[token] = upload
        return token

    def touch(self, token: str) -> ResumableUpload:
        """Return an upload and mark it as most recently used; raise HTTPError(404)."""
        upload = self.pop(token, None)
        if upload is None:
            raise HTTPError(404, "upload not found")
        self[token] = upload
        return upload

    def drop(self, token: str) -> None:
        """Remove an upload and close its sink, which discards it unless it was committed."""
        upload = self.pop(token)
        upload.writer = None
        upload.sink.close()

    def close(self) -> None:
        """Remove all uploads."""
        while self:
            self.drop(next(iter(self)))

    # Called for requests.

    def install(self, routes: Router) -> None:
        """Add the routes of ``/uploads/``: status, resume and cancel."""
        routes.route("HEAD", PATTERN)(self.status)
        routes.route("DELETE", PATTERN)(self.cancel)
        routes.route("PATCH", PATTERN, sink=self.resume)(self.answer_resumed)

    def read_creation(self, request: Request) -> Creation:
        """Parse a request with Upload-Complete that starts an upload; raise HTTPError."""
        complete = read_complete(request.headers)
        length = _read_integer(request.headers, "upload-length")
        if complete and length is None and request.head.length >= 0:
            length = request.head.length
        if length is not None and length > self.max_size:
            raise content_too_large(self.max_size)
        version = _read_integer(request.headers, "upload-draft-interop-version")
        return Creation(request.path, request.method == "POST", length, complete, version)

    def begin(self, creation: Creation, sink: Upload | CheckedUpload) -> UploadSink:
        """Start an upload into a sink; at the limit, close the sink and raise HTTPError(503)."""
        token = self.add(ResumableUpload(sink, creation.path, creation.always_created, creation.length))
        interim = self._interim(creation.version, token) if creation.complete else None
        return UploadSink(self, token, creation.complete, interim)

    def resume(self, request: Request) -> UploadSink:
        """Return the sink that resumes an upload; raise HTTPError."""
        headers = request.headers
        if request.head.length == 0:
            require_length(headers)
        media_type = headers.get("content-type", "").strip().lower()
        if media_type != MEDIA_TYPE:
            reason = f"invalid Content-Type: {quote(media_type)} (expected {MEDIA_TYPE})"
            raise HTTPError(415, reason, (("Accept-Patch", MEDIA_TYPE),))
        complete = read_complete(headers)
        offset = _read_integer(headers, "upload-offset")
        if offset is None:
            raise HTTPError(400, "missing Upload-Offset")
        upload = self.touch(request.params["token"])
        if offset != upload.offset:
            raise HTTPError(
                409, f"wrong Upload-Offset: {offset} (expected {upload.offset})", _progress_headers(upload)
            )
        return UploadSink(self, request.params["token"], complete)

    def answer_resumed(self, request: Request) -> Response:
        """Return the response to a request that resumed an upload."""
        assert isinstance(request.upload, UploadSink), f"unexpected upload: {request.upload!r}"
        return request.upload.answer()

    def status(self, request: Request) -> Response:
        """Return the progress of an upload; detach its current writer, so that the offset stays valid."""
        upload = self.touch(request.params["token"])
        upload.writer = None
        length = () if upload.length is None else (("Upload-Length", str(upload.length)),)
        return Response(
            204, b"", (*_progress_headers(upload), *length, self.limit_header, ("Cache-Control", "no-store"))
        )

    def cancel(self, request: Request) -> Response:
        """Cancel an upload."""
        self.touch(request.params["token"]).writer = None
        self.drop(request.params["token"])
        return Response(204)

    @property
    def limit_header(self) -> tuple[str, str]:
        """The Upload-Limit header, with the maximum length."""
        return "Upload-Limit", f"max-size={self.max_size}"

    def _interim(self, version: int | None, token: str) -> tuple[int, HeaderPairs]:
        """Return the interim response with the Location, which is sent before the body is received."""
        headers: HeaderPairs = (("Location", resource_path(token)), self.limit_header)
        if version is not None:  # echoed: the part implemented here is the same in all versions of the draft
            headers = (("Upload-Draft-Interop-Version", str(version)), *headers)
        return 104, headers


def resource_path(token: str) -> str:
    """Return the path of the resource at which an upload is resumed."""
    return f"/uploads/{token}"


def read_complete(headers: Headers) -> bool:
    """Parse Upload-Complete; raise HTTPError(400) if it is missing or malformed."""
    value = _BOOLEANS.get(headers.get("upload-complete", "").strip())
    if value is None:
        raise HTTPError(400, "missing or invalid Upload-Complete (expected ?0 or ?1)")
    return value


def _read_integer(headers: Headers, name: str) -> int | None:
    """Parse an integer header (None if missing); raise HTTPError(400) if it is malformed."""
    value = headers.get(name)
    if value is None:
        return None
    if _is_integer(value) is None:
        raise HTTPError(400, f"invalid {name.title()}: {quote(value)} (expected at most 15 digits)")
    return int(value)


def _progress_headers(upload: ResumableUpload) -> HeaderPairs:
    return ("Upload-Complete", "?0"), ("Upload-Offset", str(upload.offset))

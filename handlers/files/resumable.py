"""Resumable uploads: continue an interrupted upload where it stopped (draft-ietf-httpbis-resumable-upload).

    PUT /files/name          Upload-Complete: ?0 or ?1           104 or 201 with Location: /uploads/TOKEN
    HEAD /uploads/TOKEN                                          204 with Upload-Offset: octets received
    PATCH /uploads/TOKEN     Upload-Offset: octets received,     204; 201 when the upload is complete
                             Upload-Complete: ?0 or ?1
    DELETE /uploads/TOKEN                                        204: cancelled

1. A client starts one by ``Upload-Complete`` in its POST or PUT. Its content goes to a temporary file, as
   always, which is kept when the connection breaks.
2. One request at a time writes. A later one takes over from one that has not noticed yet that its
   client is gone.
3. Their number is limited: when there are too many, the one that was unused longest is removed. When the
   server stops, all are removed.

Tokens cannot be guessed: a client that knows one may resume its upload.
"""

import re
import secrets
from typing import NamedTuple

from reactor.http11.errors import HTTPError, content_too_large
from reactor.http11.headers import Headers
from reactor.http11.message import Fields, Request, Response
from reactor.routing import InterimSink, Router

from .upload import CheckedUpload, Upload

MAX_UPLOADS = 64  # uploads; each holds a file open
MEDIA_TYPE = "application/partial-upload"
PATTERN = "/uploads/{token}"

# sf-integer, which no offset has a sign of, and sf-boolean                        RFC 8941, 3.3.1 and 3.3.6
_is_integer = re.compile(r"[0-9]{1,15}", re.ASCII).fullmatch
_BOOLEANS = {"?0": False, "?1": True}


class ResumableUpload:
    """An upload that may come in several requests. ``writer`` is the one that writes to it, or None."""

    def __init__(self, sink: Upload | CheckedUpload, path: str, creating: bool, length: int | None) -> None:
        self.sink = sink
        self.path = path  # of the file when it is complete
        self.creating = creating  # whether the answer is 201 even where a file is replaced
        self.length = length  # octets of the complete content, None where the client did not say
        self.offset = 0
        self.writer: UploadRequest | None = None


class Creation(NamedTuple):
    """What a request that begins an upload says about it; the first fields are those of ``ResumableUpload``.

    ``complete`` says that no other request will follow; ``version`` is that of the draft, None if not given.
    """

    path: str
    creating: bool
    length: int | None
    complete: bool
    version: int | None


class UploadRequest(InterimSink):
    """The content of one request, added to an upload: a sink."""

    __slots__ = ("_registry", "complete", "interim", "token", "upload")

    def __init__(
        self,
        registry: "UploadRegistry",
        token: str,
        complete: bool,
        interim: tuple[int, Fields] | None = None,
    ) -> None:
        self._registry = registry
        self.complete = complete
        self.token = token
        self.interim = interim
        self.upload = registry.touch(token)
        self.upload.writer = self

    def write(self, octets: bytes) -> None:
        """Add octets; raise HTTPError where they are too many, or another request has taken over."""
        self._check_current()
        upload = self.upload
        most = self._registry.max_size if upload.length is None else upload.length
        if upload.offset + len(octets) > most:
            raise HTTPError(413, f"upload too large: over {most} bytes")
        upload.sink.write(octets)
        upload.offset += len(octets)

    def finish(self) -> "UploadRequest":
        """Return itself, for the handler to answer; raise HTTPError where another request has taken over."""
        self._check_current()
        return self

    def _check_current(self) -> None:
        """Check that no other request has taken over, and that the upload was not cancelled."""
        if self.upload.writer is not self:
            raise HTTPError(409, "another request took over this upload, or it was cancelled")

    def answer(self) -> Response:
        """Answer with the progress of the upload; commit it when it is complete."""
        upload = self.upload
        if not self.complete:
            return Response(204, b"", _progress_fields(upload))
        if upload.length is not None and upload.offset != upload.length:
            raise HTTPError(
                400, f"upload incomplete: {upload.offset} of {upload.length} bytes received", _progress_fields(upload)
            )
        try:
            stored = upload.sink.finish()
            stored.commit(late=True)
        finally:  # what does not fit now will not fit later
            self._registry.drop(self.token)
        done = (("Upload-Complete", "?1"), ("Upload-Offset", str(upload.offset)))
        if stored.replaces and not upload.creating:
            return Response(204, b"", done)
        return Response(201, b"", (("Location", upload.path), *done))

    def answer_creation(self) -> Response:
        """Answer the request that began the upload: as ``answer``, with the Location to resume it."""
        response = self.answer()
        if self.complete:
            return response
        where = ("Location", location(self.token))
        return Response(201, b"", (where, *response.headers, self._registry.limit_field))

    def close(self) -> None:
        """Stop writing; another request may resume the upload."""
        if self.upload.writer is self:
            self.upload.writer = None


class UploadRegistry(dict[str, ResumableUpload]):
    """The uploads that can be resumed, by token, the one that was unused longest first.

    ``max_size`` is the maximum length of one, in octets.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self.max_size = max_size

    def add(self, upload: ResumableUpload) -> str:
        """Add an upload; return its token. When there are too many, remove one."""
        idle = [token for token, each in self.items() if each.writer is None]
        if len(self) >= MAX_UPLOADS:
            if not idle:
                upload.sink.close()
                raise HTTPError(503, f"too many concurrent resumable uploads (limit: {MAX_UPLOADS})")
            self.drop(idle[0])
        token = secrets.token_urlsafe(16)
        self[token] = upload
        return token

    def touch(self, token: str) -> ResumableUpload:
        """Return an upload and mark it as the one used last; raise HTTPError(404)."""
        upload = self.pop(token, None)
        if upload is None:
            raise HTTPError(404, "upload not found")
        self[token] = upload
        return upload

    def drop(self, token: str) -> None:
        """Remove an upload: it is complete, or cancelled."""
        upload = self.pop(token)
        upload.writer = None
        upload.sink.close()

    def close(self) -> None:
        """Remove all."""
        while self:
            self.drop(next(iter(self)))

    # Requests.

    def install(self, routes: Router) -> None:
        """Add the routes that resume an upload."""
        routes.route("HEAD", PATTERN)(self.status)
        routes.route("DELETE", PATTERN)(self.cancel)
        routes.route("PATCH", PATTERN, sink=self.resume)(self.answer_resumed)

    def read_creation(self, request: Request) -> Creation:
        """Read a request that has Upload-Complete and begins an upload; raise HTTPError."""
        complete = read_complete(request.headers)
        length = _read_integer(request.headers, "upload-length")
        if complete and length is None and request.head.length >= 0:
            length = request.head.length
        if length is not None and length > self.max_size:
            raise content_too_large(self.max_size)
        version = _read_integer(request.headers, "upload-draft-interop-version")
        return Creation(request.path, request.method == "POST", length, complete, version)

    def begin(self, creation: Creation, sink: Upload | CheckedUpload) -> UploadRequest:
        """Begin an upload into a sink; raise HTTPError(503), and close the sink, when there are too many."""
        token = self.add(ResumableUpload(sink, creation.path, creation.creating, creation.length))
        interim = self._interim(creation.version, token) if creation.complete else None
        return UploadRequest(self, token, creation.complete, interim)

    def resume(self, request: Request) -> UploadRequest:
        """Resume an upload; raise HTTPError for a request that does not fit."""
        headers = request.headers
        if headers.get("content-type", "").strip().lower() != MEDIA_TYPE:
            raise HTTPError(
                415, f"Content-Type must be {MEDIA_TYPE}", (("Accept-Patch", MEDIA_TYPE),)
            )
        complete = read_complete(headers)
        offset = _read_integer(headers, "upload-offset")
        if offset is None:
            raise HTTPError(400, "missing Upload-Offset")
        upload = self.touch(request.params["token"])
        if offset != upload.offset:
            raise HTTPError(409, f"wrong Upload-Offset: {offset} (expected {upload.offset})", _progress_fields(upload))
        return UploadRequest(self, request.params["token"], complete)

    def answer_resumed(self, request: Request) -> Response:
        """Answer a request that has resumed an upload."""
        assert isinstance(request.upload, UploadRequest), "resume opens no other sink"
        return request.upload.answer()

    def status(self, request: Request) -> Response:
        """Answer with the progress of an upload; a request that was writing no longer may."""
        upload = self.touch(request.params["token"])
        upload.writer = None
        length = () if upload.length is None else (("Upload-Length", str(upload.length)),)
        return Response(
            204, b"", (*_progress_fields(upload), *length, self.limit_field, ("Cache-Control", "no-store"))
        )

    def cancel(self, request: Request) -> Response:
        """Remove an upload at its client's request."""
        self.touch(request.params["token"]).writer = None
        self.drop(request.params["token"])
        return Response(204)

    @property
    def limit_field(self) -> tuple[str, str]:
        """The header field with the maximum length."""
        return "Upload-Limit", f"max-size={self.max_size}"

    def _interim(self, version: int | None, token: str) -> tuple[int, Fields]:
        """Return the interim response with the Location, sent before the client has sent its content."""
        fields: Fields = (("Location", location(token)), self.limit_field)
        if version is not None:  # what there is of it is the same in every version of the draft
            fields = (("Upload-Draft-Interop-Version", str(version)), *fields)
        return 104, fields


def location(token: str) -> str:
    """Return the path of an upload."""
    return f"/uploads/{token}"


def read_complete(headers: Headers) -> bool:
    """Read Upload-Complete; raise HTTPError(400) where it is missing or malformed."""
    value = _BOOLEANS.get(headers.get("upload-complete", "").strip())
    if value is None:
        raise HTTPError(400, "missing or invalid Upload-Complete (expected ?0 or ?1)")
    return value


def _read_integer(headers: Headers, name: str) -> int | None:
    """Read a field that is an integer; raise HTTPError(400) where it is malformed."""
    value = headers.get(name)
    if value is None:
        return None
    if _is_integer(value) is None:
        raise HTTPError(400, f"invalid {name.title()} (expected an integer of at most 15 digits)")
    return int(value)


def _progress_fields(upload: ResumableUpload) -> Fields:
    return ("Upload-Complete", "?0"), ("Upload-Offset", str(upload.offset))

"""Resumable uploads: resume an interrupted upload where it stopped (draft-ietf-httpbis-resumable-upload).

    Request                Its headers                        Response
    OPTIONS /files/name    -                                  204 with Upload-Limit: max-size=BYTES
    PUT /files/name        Upload-Complete: ?0                201 with Location: /uploads/TOKEN
                           Upload-Complete: ?1                201, or 204 if a file was replaced
    HEAD /uploads/TOKEN    -                                  204 with Upload-Offset: bytes received
    PATCH /uploads/TOKEN   Upload-Offset: bytes received,     204 with Upload-Offset
                           Upload-Complete: ?0
                           the same, Upload-Complete: ?1      201, or 204 if a file was replaced
    DELETE /uploads/TOKEN  -                                  204: cancelled

A POST gets 201 even if a file was replaced. GET is like HEAD. Clients that announce version 8 of the draft
(Upload-Draft-Interop-Version: 8) also get interim responses with status 104: when an upload starts, one with
its Location, and while a body is received, others with Upload-Offset.

1. A POST or PUT with ``Upload-Complete`` starts a resumable upload. Like any upload it is written to a
   temporary file, but the file is kept when the connection is lost, if the client knows the Location. It is
   closed while no request writes to it.
2. One request at a time may write. A later request takes over from an earlier one, whose connection may
   be lost without the server having noticed.
3. The length of an upload may be given by Upload-Length, or by the Content-Length of a request with
   ``Upload-Complete: ?1``. All requests must give the same length; data beyond it ends the upload.
4. The number of uploads is limited; at the limit, the least recently used idle upload is removed. All are
   removed when the server stops.

Tokens cannot be guessed: any client that knows one may resume the upload.
"""

import secrets
from typing import NamedTuple

from reactor.http11.errors import HTTPError, ProblemError, content_too_large, quote
from reactor.http11.headers import Headers
from reactor.http11.message import HeaderPairs, Request, Response
from reactor.http11.structured_fields import parse_item
from reactor.http11.target import percent_encoded
from reactor.routing import Handler, InterimSink, Router, ViewSink

from .digests import CheckedUpload
from .upload import Upload, check_coding, require_length

MAX_UPLOADS = 64
MEDIA_TYPE = "application/partial-upload"
ACCEPT_PATCH = ("Accept-Patch", MEDIA_TYPE)
PATTERN = "/uploads/{token}"

INTEROP_VERSION = 8  # of the draft; clients that announce another one get no 104
VERSION_HEADER = ("Upload-Draft-Interop-Version", str(INTEROP_VERSION))
INCONSISTENT_LENGTH = ("inconsistent-upload-length", {"title": "Inconsistent Upload Length Values"})
PROGRESS_INTERVAL = 256 * 1024  # bytes received between two interim responses


class ResumableUpload:
    """An upload that may span several requests; ``writer`` is the request that may write, or None."""

    def __init__(
        self, sink: Upload | CheckedUpload, path: str, always_created: bool, length: int | None
    ) -> None:
        self.sink = sink
        self.path = path  # that of the URL of the file
        self.always_created = always_created  # the final response is 201 even if a file was replaced (POST)
        self.length = length  # of the complete upload in bytes; None if unknown
        self.offset = 0
        self.writer: UploadSink | None = None


class Creation(NamedTuple):
    """The parsed headers of a request that starts an upload.

    ``path``, ``always_created`` and ``length`` are as in ``ResumableUpload``. ``prefix`` is that of the
    request, in front of the path at which the upload is resumed. ``complete`` is true if no
    other request will follow. ``gets_interim`` is true if the client announced our version of the draft.
    """

    path: str
    prefix: str
    always_created: bool
    length: int | None
    complete: bool
    gets_interim: bool


class UploadSink(InterimSink, ViewSink):
    """A sink that appends the body of one request to an upload."""

    __slots__ = (
        "_claimed",
        "_gets_interim",
        "_is_location_known",
        "_next_progress",
        "_prefix",
        "_registry",
        "complete",
        "interim",
        "token",
        "upload",
    )

    def __init__(
        self, registry: "UploadRegistry", token: str, complete: bool, gets_interim: bool, prefix: str = ""
    ) -> None:
        self._registry = registry
        self._prefix = prefix
        self._gets_interim = gets_interim
        self._is_location_known = True  # to the client
        self._claimed = False
        self.complete = complete
        self.token = token
        self.interim = None
        self.upload = registry.touch(token)
        self.upload.writer = self
        self._next_progress = self.upload.offset + PROGRESS_INTERVAL

    def write(self, data: bytes | memoryview) -> None:
        """Append data; raise HTTPError if it is too much, or if another request has taken over."""
        self._check_current()
        upload = self.upload
        self._registry.check_end(self.token, upload.offset + len(data))
        upload.sink.write(data)
        upload.offset += len(data)
        if self._gets_interim and upload.offset >= self._next_progress:
            self.interim = 104, (VERSION_HEADER, ("Upload-Offset", str(upload.offset)))
            self._next_progress = upload.offset + PROGRESS_INTERVAL

    def announce(self) -> None:
        """Send an interim response with the Location before the body is received, if the client gets them."""
        self._is_location_known = self._gets_interim
        if self._gets_interim:
            location = ("Location", resource_path(self.token, self._prefix))
            self.interim = 104, (VERSION_HEADER, location, self._registry.limit_header)

    def finish(self) -> "UploadSink":
        """Return itself for the handler; raise HTTPError if another request has taken over."""
        self._check_current()
        return self

    def _check_current(self) -> None:
        """Raise HTTPError(409) if another request has taken over, or if the upload was cancelled."""
        if self.upload.writer is not self:
            raise HTTPError(409, "another request took over this upload, or it was cancelled")

    def claim(self) -> bool:
        """Take a complete upload out of the registry: no other request can use it. Return False for a part.

        It is dropped even if storing it fails: a retry would fail again. Raise HTTPError if data is missing.
        """
        upload = self.upload
        if self.complete and not self._claimed:
            if upload.length is not None and upload.offset != upload.length:
                raise ProblemError(
                    400,
                    f"upload incomplete: {upload.offset} of {upload.length} bytes received",
                    _progress_headers(upload),
                    *INCONSISTENT_LENGTH,
                )
            self._registry.remove(self.token)
            self._claimed = True
        return self.complete

    def sync(self) -> None:
        """Write the content to the disk; raise OSError. May be called in another thread."""
        self.upload.sink.sync()

    def sync_directory(self) -> None:
        """Write the name of the file to the disk; raise OSError. May be called in another thread."""
        self.upload.sink.sync_directory()

    def answer(self) -> Response:
        """Commit a complete upload; return the response, which contains the progress of an incomplete one."""
        upload = self.upload
        if not self.claim():
            return Response(204, b"", _progress_headers(upload))
        try:
            finished = upload.sink.finish()
            finished.commit(touch=True)
        except HTTPError as error:
            raise final(error) from None
        progress = (("Upload-Complete", "?1"), ("Upload-Offset", str(upload.offset)))
        if finished.replaces and not upload.always_created:
            return Response(204, b"", progress)
        return Response(201, b"", (("Location", percent_encoded(upload.path)), *progress))

    def answer_creation(self) -> Response:
        """Return the response to the request that started the upload, with the Location to resume it."""
        response = self.answer()
        if self.complete:
            return response
        self._is_location_known = True
        location = ("Location", resource_path(self.token, self._prefix))
        return Response(201, b"", (location, *response.headers, self._registry.limit_header))

    def close(self) -> None:
        """Stop writing; another request may resume the upload if the client knows its Location."""
        if self._claimed:
            self.upload.sink.close()
        elif self.upload.writer is self:
            if self._is_location_known:
                self._registry.detach(self.token)
            else:
                self._registry.drop(self.token)


def final(error: HTTPError) -> HTTPError:
    """Return an error as the final response of an upload: it has ended, though not with success."""
    return HTTPError(error.status, error.reason, (*error.headers, ("Upload-Complete", "?1")))


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

    def remove(self, token: str) -> ResumableUpload:
        """Remove and return an upload, which has no writer from now on."""
        upload = self.pop(token)
        upload.writer = None
        return upload

    def drop(self, token: str) -> None:
        """Remove an upload and close its sink, which discards it."""
        self.remove(token).sink.close()

    def detach(self, token: str) -> None:
        """Close the file until another request writes; the current writer, if any, can no longer write.

        Remove an upload into a former shared directory: its file could not be found again after closing it.
        """
        if self[token].sink.is_outdated:
            self.drop(token)
        else:
            self[token].writer = None
            self[token].sink.suspend()

    def drop_idle(self) -> None:
        """Remove the uploads without a writer, which could not be stored in another shared directory."""
        for token in [token for token, each in self.items() if each.writer is None]:
            self.drop(token)

    def close(self) -> None:
        """Remove all uploads."""
        while self:
            self.drop(next(iter(self)))

    # Called for requests.

    def install(self, routes: Router, answer_resumed: Handler) -> None:
        """Add the routes of ``/uploads/``: status, resume and cancel."""
        routes.get(PATTERN)(self.status)
        routes.delete(PATTERN)(self.cancel)
        limits = self.limit_header, ACCEPT_PATCH
        routes.patch(PATTERN, self.resume, limits)(answer_resumed)

    def read_creation(self, request: Request, complete: bool) -> Creation:
        """Parse a request that starts an upload; raise HTTPError."""
        length = _read_length(request, complete)
        if max(request.head.length, length or 0) > self.max_size:
            raise content_too_large(self.max_size)
        always_created = request.method == "POST"
        return Creation(
            request.url_path, request.prefix, always_created, length, complete, _gets_interim(request)
        )

    def begin(self, creation: Creation, sink: Upload | CheckedUpload) -> UploadSink:
        """Start an upload into a sink; at the limit, close the sink and raise HTTPError(503)."""
        token = self.add(ResumableUpload(sink, creation.path, creation.always_created, creation.length))
        opened = UploadSink(self, token, creation.complete, creation.gets_interim, creation.prefix)
        opened.announce()
        return opened

    def resume(self, request: Request) -> UploadSink:
        """Return the sink that resumes an upload; raise HTTPError."""
        headers = request.headers
        if request.head.length == 0:
            require_length(headers)
        check_coding(headers)
        content_type = headers.get("content-type", "")
        if content_type.partition(";")[0].strip(" \t").lower() != MEDIA_TYPE:
            reason = f"invalid Content-Type: {quote(content_type)} (expected {MEDIA_TYPE})"
            raise HTTPError(415, reason, (ACCEPT_PATCH,))
        complete = read_complete(headers)
        if complete is None:
            raise HTTPError(400, "missing or invalid Upload-Complete (expected ?0 or ?1)")
        offset = _read_integer(headers, "upload-offset")
        if offset is None:
            raise HTTPError(400, "missing or invalid Upload-Offset (expected a number of bytes)")
        token = request.params["token"]
        upload = self.touch(token)
        if offset != upload.offset:
            raise ProblemError(
                409,
                f"wrong Upload-Offset: {offset} (expected {upload.offset})",
                _progress_headers(upload),
                "mismatching-upload-offset",
                {
                    "title": "Mismatching Upload Offset",
                    "expected-offset": upload.offset,
                    "provided-offset": offset,
                },
            )
        self.check_end(token, offset + max(0, request.head.length))
        length = _read_length(request, complete, upload)
        if length is not None:
            self.check_end(token, length)
        upload.length = length
        self._reopen(token, upload)
        return UploadSink(self, token, complete, _gets_interim(request))

    def _reopen(self, token: str, upload: ResumableUpload) -> None:
        """Open the file of an upload; raise HTTPError: 409 removes the upload, whose file was lost."""
        try:
            upload.sink.reopen()
        except HTTPError as error:
            if error.status != 409:
                raise
            self.drop(token)
            raise final(error) from None

    def check_end(self, token: str, end: int) -> None:
        """Raise HTTPError(413) if the data of an upload would end beyond its length or the maximum size.

        An upload with data beyond its length is invalid, and is removed.
        """
        upload = self[token]
        if upload.length is not None and end > upload.length:
            self.drop(token)
            raise HTTPError(
                413,
                f"upload removed: more data than its Upload-Length of {upload.length} bytes",
                (("Upload-Complete", "?0"),),
            )
        if end > self.max_size:
            raise HTTPError(413, f"upload too large: over {self.max_size} bytes", _progress_headers(upload))

    def answer_resumed(self, request: Request) -> Response:
        """Return the response to a request that resumed an upload."""
        assert isinstance(request.upload, UploadSink), f"unexpected upload: {request.upload!r}"
        return request.upload.answer()

    def status(self, request: Request) -> Response:
        """Return the progress of an upload; detach its current writer, so that the offset stays valid."""
        token = request.params["token"]
        self.touch(token)
        self.detach(token)
        upload = self.touch(token)
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
        return "Upload-Limit", f"max-size={min(self.max_size, 10**15 - 1)}"  # an integer has 15 digits


def resource_path(token: str, prefix: str = "") -> str:
    """Return the path of the resource at which an upload is resumed."""
    return f"{prefix}/uploads/{token}"


def read_complete(headers: Headers) -> bool | None:
    """Parse Upload-Complete; return None if it is missing or malformed, and so ignored.

    Raise HTTPError(400) for a malformed value with ``?0``, such as that of a repeated header: otherwise a
    part could be stored as a complete file.
    """
    value = headers.get("upload-complete", "")
    item = parse_item(value)
    if isinstance(item, bool):
        return item
    if "?0" in value:
        raise HTTPError(400, f"invalid Upload-Complete: {quote(value)} (expected ?0 or ?1)")
    return None


def _read_integer(headers: Headers, name: str) -> int | None:
    """Parse a header with an integer; return None if it is missing, malformed or negative, and so ignored."""
    item = parse_item(headers.get(name, ""))
    return item if type(item) is int and item >= 0 else None


def _gets_interim(request: Request) -> bool:
    """Return whether a client announced our version of the draft; others must not get 104."""
    version = _read_integer(request.headers, "upload-draft-interop-version")
    return version == INTEROP_VERSION and request.head.version == 1


def _read_length(request: Request, complete: bool, upload: ResumableUpload | None = None) -> int | None:
    """Return the length of an upload after a request, None if it is unknown; raise HTTPError(400)."""
    offset, known = (0, None) if upload is None else (upload.offset, upload.length)
    end = offset + max(0, request.head.length)
    given = _read_integer(request.headers, "upload-length")
    implied = end if complete and request.head.length >= 0 else None
    lengths = {each for each in (known, given, implied) if each is not None}
    if len(lengths) > 1 or any(length < end for length in lengths):
        found = " and ".join(map(str, sorted(lengths | {end})))
        raise ProblemError(
            400,
            f"inconsistent lengths of the upload: {found} bytes",
            (("Upload-Complete", "?0"),) if upload is None else _progress_headers(upload),
            *INCONSISTENT_LENGTH,
        )
    return lengths.pop() if lengths else None


def _progress_headers(upload: ResumableUpload) -> HeaderPairs:
    return ("Upload-Complete", "?0"), ("Upload-Offset", str(upload.offset))

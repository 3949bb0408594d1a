"""Resumable uploads: one that was interrupted goes on where it stopped (draft-ietf-httpbis-resumable-upload).

    PUT /files/name          Upload-Complete: ?0 or ?1           104 or 201 with Location: /uploads/TOKEN
    HEAD /uploads/TOKEN                                          204 with Upload-Offset: what is here
    PATCH /uploads/TOKEN     Upload-Offset: what was here,       204; 201 when that was the last of it
                             Upload-Complete: ?0 or ?1
    DELETE /uploads/TOKEN                                        204: given up

1. A client asks for it by ``Upload-Complete`` in its POST or PUT. What comes goes to a temporary file,
   as always, which stays when the connection breaks.
2. One request at a time writes. A later one takes over from one that has not noticed yet that its
   client is gone.
3. They are bounded in number: of too many the one goes that was left alone the longest. When the
   server stops, they are gone.

Tokens cannot be guessed: who knows one may go on with its upload.
"""

import re
import secrets
from collections.abc import Callable

from reactor.http11.errors import HTTPError
from reactor.http11.headers import Headers
from reactor.http11.message import Fields, Request, Response
from reactor.routing import Router

from .upload import CheckedUpload, Upload

MAX_UPLOADS = 64  # uploads; each holds a file open
MEDIA_TYPE = "application/partial-upload"
PATTERN = "/uploads/{token}"

# sf-integer, which no offset has a sign of, and sf-boolean                        RFC 8941, 3.3.1 and 3.3.6
_is_integer = re.compile(r"[0-9]{1,15}", re.ASCII).fullmatch
_BOOLEANS = {"?0": False, "?1": True}


class Partial:
    """An upload that may come in several requests. ``writer`` is the one that goes on with it, or None."""

    def __init__(self, sink: Upload | CheckedUpload, path: str, creating: bool, length: int | None) -> None:
        self.sink = sink
        self.path = path  # where it will stand
        self.creating = creating  # whether 201 is the answer, though something stood there
        self.length = length  # octets of the whole, None where that was not said
        self.offset = 0
        self.writer: Writer | None = None


class Writer:
    """The content of one request, added to an upload: a sink."""

    __slots__ = ("_partials", "complete", "interim", "partial", "token")

    def __init__(
        self,
        partials: "UploadRegistry",
        token: str,
        complete: bool,
        interim: tuple[int, Fields] | None = None,
    ) -> None:
        self._partials = partials
        self.complete = complete
        self.token = token
        self.interim = interim
        self.partial = partials.take(token)
        self.partial.writer = self

    def write(self, octets: bytes) -> None:
        """Add octets; raise HTTPError where they are too many, or another request has taken over."""
        self._check_turn()
        partial = self.partial
        most = self._partials.max_size if partial.length is None else partial.length
        if partial.offset + len(octets) > most:
            raise HTTPError(413, f"the content is over {most} octets")
        partial.sink.write(octets)
        partial.offset += len(octets)

    def finish(self) -> "Writer":
        """Return itself, for the handler to answer; raise HTTPError where another has taken over."""
        self._check_turn()
        return self

    def _check_turn(self) -> None:
        """See that this is the request that goes on: no other has taken over, and nobody has given it up."""
        if self.partial.writer is not self:
            raise HTTPError(409, "another request goes on with this upload, or it was given up")

    def answer(self) -> Response:
        """Say how far the upload has come; let the content stand under its name when it is whole."""
        partial = self.partial
        if not self.complete:
            return Response(204, b"", _progress(partial))
        if partial.length is not None and partial.offset != partial.length:
            raise HTTPError(400, f"there are {partial.offset} octets of {partial.length}", _progress(partial))
        try:
            upload = partial.sink.finish()
            upload.commit(late=True)
        finally:  # what does not fit now will not fit later
            self._partials.drop(self.token)
        done = (("Upload-Complete", "?1"), ("Upload-Offset", str(partial.offset)))
        if upload.replaces and not partial.creating:
            return Response(204, b"", done)
        return Response(201, b"", (("Location", partial.path), *done))

    def answer_beginning(self) -> Response:
        """Answer the request that began the upload: as ``answer``, or say where it may go on."""
        response = self.answer()
        if self.complete:
            return response
        where = ("Location", location(self.token))
        return Response(201, b"", (where, *response.headers, self._partials.limit))

    def close(self) -> None:
        """Let the upload be, for another request to go on with."""
        if self.partial.writer is self:
            self.partial.writer = None


class UploadRegistry(dict[str, Partial]):
    """The uploads that may be gone on with, by token, the one that was left alone longest first.

    ``max_size`` is the greatest length of one, in octets.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self.max_size = max_size

    def add(self, partial: Partial) -> str:
        """Keep an upload; return its token. Where there are too many, one goes."""
        idle = [token for token, each in self.items() if each.writer is None]
        if len(self) >= MAX_UPLOADS:
            if not idle:
                partial.sink.close()
                raise HTTPError(503, "too many uploads are on their way")
            self.drop(idle[0])
        token = secrets.token_urlsafe(16)
        self[token] = partial
        return token

    def take(self, token: str) -> Partial:
        """Return an upload, which is now the one that was used last; raise HTTPError(404)."""
        partial = self.pop(token, None)
        if partial is None:
            raise HTTPError(404, "there is no such upload")
        self[token] = partial
        return partial

    def drop(self, token: str) -> None:
        """Forget an upload: it is complete, or given up."""
        partial = self.pop(token)
        partial.writer = None
        partial.sink.close()

    def close(self) -> None:
        """Forget all."""
        while self:
            self.drop(next(iter(self)))

    # Requests.

    def install(self, routes: Router) -> None:
        """Add the routes by which an upload goes on."""
        routes.route("HEAD", PATTERN)(self.tell)
        routes.route("DELETE", PATTERN)(self.give_up)
        routes.route("PATCH", PATTERN, sink=self.go_on)(lambda request: request.content.answer())

    def begin(self, request: Request, create: Callable[[], Upload | CheckedUpload]) -> Writer:
        """Begin an upload in whose request Upload-Complete stands; raise HTTPError."""
        complete = read_complete(request.headers)
        length = _read_integer(request.headers, "upload-length")
        if complete and length is None and request.head.length >= 0:
            length = request.head.length
        if length is not None and length > self.max_size:
            raise HTTPError(413, f"content is over {self.max_size} octets")
        # What is read of the request is read before anything is kept of it.
        version = _read_integer(request.headers, "upload-draft-interop-version")
        token = self.add(Partial(create(), request.path, request.method == "POST", length))
        return Writer(self, token, complete, self._supported(version, token) if complete else None)

    def go_on(self, request: Request) -> Writer:
        """Go on with an upload; raise HTTPError where that is not what the request does."""
        headers = request.headers
        if headers.get("content-type", "").strip().lower() != MEDIA_TYPE:
            raise HTTPError(
                415, f"an upload is gone on with by {MEDIA_TYPE}", (("Accept-Patch", MEDIA_TYPE),)
            )
        complete = read_complete(headers)
        offset = _read_integer(headers, "upload-offset")
        if offset is None:
            raise HTTPError(400, "there is no Upload-Offset")
        partial = self.take(request.params["token"])
        if offset != partial.offset:
            raise HTTPError(409, f"the upload goes on at {partial.offset}", _progress(partial))
        return Writer(self, request.params["token"], complete)

    def tell(self, request: Request) -> Response:
        """Say how far an upload has come; whoever was writing is not any more."""
        partial = self.take(request.params["token"])
        partial.writer = None
        length = () if partial.length is None else (("Upload-Length", str(partial.length)),)
        return Response(204, b"", (*_progress(partial), *length, self.limit, ("Cache-Control", "no-store")))

    def give_up(self, request: Request) -> Response:
        """Forget an upload on its client's wish."""
        self.take(request.params["token"]).writer = None
        self.drop(request.params["token"])
        return Response(204)

    @property
    def limit(self) -> tuple[str, str]:
        """The field that tells the greatest length."""
        return "Upload-Limit", f"max-size={self.max_size}"

    def _supported(self, version: int | None, token: str) -> tuple[int, Fields]:
        """Return what tells a client, before it has sent its content, where it may go on."""
        fields: Fields = (("Location", location(token)), self.limit)
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
        raise HTTPError(400, "Upload-Complete is to be ?0 or ?1")
    return value


def _read_integer(headers: Headers, name: str) -> int | None:
    """Read a field that is an integer; raise HTTPError(400) where it is malformed."""
    value = headers.get(name)
    if value is None:
        return None
    if _is_integer(value) is None:
        raise HTTPError(400, f"malformed {name.title()}")
    return int(value)


def _progress(partial: Partial) -> Fields:
    return ("Upload-Complete", "?0"), ("Upload-Offset", str(partial.offset))

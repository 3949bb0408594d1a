"""Downloads: respond to GET and HEAD of a file with all of it, ranges of it, or 304.

1. Select the representation: the file itself, compressed on the fly, or, if they are enabled, a precompressed
   variant that the client accepts. A range request always selects the file itself.
2. Evaluate preconditions, in the order of RFC 9110, 13.2.2: 304 or 412.
3. Apply Range, if If-Range matches: 206 with one or more parts, or 416 (RFC 9110, 14).
"""

import secrets
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Protocol

from reactor.http11.conditional import CONDITIONAL, evaluate, range_applies
from reactor.http11.errors import HTTPError
from reactor.http11.message import Content, Request, Response
from reactor.http11.ranges import content_range, multipart_end, multipart_head, read_ranges, unsatisfied_range

from .media_types import VARY
from .metadata import FileChunks, Representation, precondition_failed
from .precompressed import PrecompressedFiles

# A request with none of these headers gets the complete file, uncompressed.
_SPECIAL = CONDITIONAL | {"accept-encoding", "range"}


class FileSource(Protocol):
    """What a download needs to know of files: those of a store, or any other (``any_file.py``).

    ``compressions`` limits the number of files that are being compressed. ``wall_clock`` returns seconds
    since the epoch.
    """

    compressions: BoundedSemaphore
    precompressed: PrecompressedFiles | None
    wall_clock: Callable[[], float]

    def find(self, name: str) -> Representation:
        """Return the representation of a regular file; raise HTTPError."""


def download(source: FileSource, request: Request, name: str) -> Response:
    """Return the response to GET or HEAD of a file; raise HTTPError."""
    representation = source.find(name)
    if _SPECIAL.isdisjoint(request.headers):
        return representation.full_response()
    # RFC 9110, 14.2: Range is defined for GET only.
    range_header = request.headers.get("range") if request.method == "GET" else None
    try:
        if range_header is None:
            representation = _prefer_variant(request, representation, source, name)
        return _answer(source, request, representation, range_header)
    except (HTTPError, OSError):
        representation.close()
        raise


def _prefer_variant(
    request: Request, representation: Representation, source: FileSource, name: str
) -> Representation:
    """Return the precompressed variant that the client prefers, or else the file."""
    accepted = request.headers.get("accept-encoding")
    if not accepted or source.precompressed is None:
        return representation
    variant = source.precompressed.find(name, accepted, representation.metadata)
    if variant is None:
        return representation
    representation.close()
    return variant


def _answer(
    source: FileSource, request: Request, representation: Representation, range_header: str | None
) -> Response:
    """Respond to a request with conditions, a range or accepted codings; raise HTTPError."""
    headers, now = request.headers, source.wall_clock()
    coding = request.head.coding if range_header is None else None
    validators = representation.metadata.validators_as(coding)
    status = evaluate(request.method, headers, validators, now)
    if status == 304:
        representation.close()
        vary = VARY if representation.metadata.varies else ()
        return Response(304, b"", (("ETag", validators.etag), *vary))
    if status is not None:
        raise HTTPError(status, precondition_failed(validators))
    if range_header is not None and range_applies(headers, validators, now):
        parts = read_ranges(range_header, representation.metadata.size)
        if parts is not None:
            return _partial(representation, parts)
    return _full(source, representation, coding)


def _full(source: FileSource, representation: Representation, coding: str | None) -> Response:
    """Return 200 with the complete file; uncompressed if too many files are being compressed."""
    if coding is None or not representation.metadata.compressible:
        return representation.full_response()
    if representation.file is not None and not source.compressions.acquire(blocking=False):
        return representation.full_response()
    return representation.compressed_response(source.compressions.release)


def _partial(representation: Representation, parts: list[range]) -> Response:
    """Return 206 with these parts; raise HTTPError(416) for an empty list."""
    metadata = representation.metadata
    if not parts:
        reason = f"range not satisfiable: the file has {metadata.size} bytes"
        raise HTTPError(416, reason, (("Content-Range", unsatisfied_range(metadata.size)),))
    if len(parts) == 1:
        header = ("Content-Range", content_range(parts[0], metadata.size))
        return Response(206, representation.range_body(parts[0]), (*metadata.headers, header))
    boundary = secrets.token_hex(16)
    content_type = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    others = tuple(header for header in metadata.headers if header[0] != "Content-Type")
    return Response(206, _multipart(representation, parts, boundary.encode()), (content_type, *others))


def _multipart(representation: Representation, parts: list[range], boundary: bytes) -> Content:
    """Return the body of a multipart/byteranges response (RFC 9110, 14.6)."""
    content_type, size = dict(representation.metadata.headers)["Content-Type"], representation.metadata.size
    ranges = [(multipart_head(boundary, content_type, part, size), part) for part in parts]
    return FileChunks(representation, ranges, multipart_end(boundary))

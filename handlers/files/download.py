"""Downloads: GET and HEAD of a file, in full, as ranges, or not at all where the client has it.

1. The representation is selected: the file as it is, compressed on the way, or a precompressed variant
   that the client prefers. A request for a range gets the file as it is.
2. Preconditions, in the order of RFC 9110, 13.2.2: 304 or 412 instead.
3. Range, where If-Range agrees: 206 with one part or several, 416 with none (RFC 9110, 14).

It knows no path; the store does.
"""

import secrets

from reactor.http11.conditional import CONDITIONAL, evaluate, range_applies
from reactor.http11.errors import HTTPError
from reactor.http11.message import Content, Fields, Request, Response
from reactor.http11.ranges import content_range, multipart_end, multipart_head, read_ranges, unsatisfied_range

from .metadata import FileChunks, FileMetadata, Representation
from .store import Store

# A request with none of these is for all of the content as it is, whatever the client has.
_SPECIAL = CONDITIONAL | {"accept-encoding", "range"}


def download(store: Store, request: Request, name: str) -> Response:
    """Answer GET or HEAD of a file; raise HTTPError."""
    found = store.find(name)
    if _SPECIAL.isdisjoint(request.head.headers):
        return found.full_response(None)
    # RFC 9110, 14.2: it counts for GET alone.
    wanted = request.headers.get("range") if request.method == "GET" else None
    if wanted is None:
        found = _prefer_variant(request, found, store, name)
    try:
        return _answer(request, found, wanted, store.wall_clock())
    except HTTPError:
        found.close()
        raise


def _prefer_variant(request: Request, found: Representation, store: Store, name: str) -> Representation:
    """Return the precompressed variant that the client prefers, in place of the file, if there is one."""
    accepted = request.headers.get("accept-encoding")
    if not accepted or not found.metadata.compressible:
        return found
    variant = store.precompressed.find(name, accepted, found.metadata)
    if variant is None:
        return found
    found.close()
    return variant


def _answer(request: Request, found: Representation, wanted: str | None, now: float) -> Response:
    """Answer a request for a part, for what may have changed, or in a coding; raise HTTPError."""
    headers = request.headers
    coding = request.head.coding if wanted is None else None
    validators = found.metadata.validators_as(coding)
    status = evaluate(request.method, headers, validators, now)
    if status == 304:
        found.close()
        return Response(304, b"", (("ETag", validators.etag), *_vary(found.metadata)))
    if status is not None:
        raise HTTPError(status, "precondition failed: the file does not match the request's conditions")
    if wanted is not None and range_applies(headers, validators, now):
        parts = read_ranges(wanted, found.metadata.size)
        if parts is not None:
            return _partial(found, parts)
    return found.full_response(coding)


def _vary(metadata: FileMetadata) -> Fields:
    """Return the field that a response has where another client may get another coding."""
    return (("Vary", "Accept-Encoding"),) if metadata.compressible or metadata.coding is not None else ()


def _partial(found: Representation, parts: list[range]) -> Response:
    """Return 206 with these parts; raise HTTPError(416) when there are none."""
    metadata = found.metadata
    if not parts:
        reason = f"range not satisfiable: the file has {metadata.size} bytes"
        raise HTTPError(416, reason, (("Content-Range", unsatisfied_range(metadata.size)),))
    fields = (*metadata.fields, *_vary(metadata))
    if len(parts) == 1:
        field = ("Content-Range", content_range(parts[0], metadata.size))
        return Response(206, found.range_body(parts[0]), (*fields, field))
    boundary = secrets.token_hex(16)
    content_type = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    others = tuple(field for field in fields if field[0] != "Content-Type")
    return Response(206, _multipart(found, parts, boundary.encode()), (content_type, *others))


def _multipart(found: Representation, parts: list[range], boundary: bytes) -> Content:
    """Return several parts as multipart/byteranges (RFC 9110, 14.6)."""
    content_type, size = dict(found.metadata.fields)["Content-Type"], found.metadata.size
    ranges = [(multipart_head(boundary, content_type, part, size), part) for part in parts]
    return FileChunks(found, ranges, multipart_end(boundary))

"""A download: GET and HEAD of a file, whole or in parts, or not at all where the client has it.

1. What is sent is selected: the file as it is, compressed on the way, or what stands beside it in a
   coding that the client prefers. Who asks for a part of it gets it as it is.
2. Preconditions, in the order of RFC 9110, 13.2.2: 304 or 412 instead.
3. Range, where If-Range agrees: 206 with one part or several, 416 with none (RFC 9110, 14).

It knows no path; the store does.
"""

import secrets

from reactor.http11.coding import preferred_codings
from reactor.http11.conditional import CONDITIONAL, evaluate, range_applies
from reactor.http11.errors import HTTPError
from reactor.http11.message import Content, Fields, Request, Response
from reactor.http11.ranges import content_range, multipart_end, multipart_head, read_ranges, unsatisfied_range

from .metadata import Description, Pieces, Representation
from .store import Store

# A request with none of these asks for all of the content as it is, whatever the client has.
_ASKING = CONDITIONAL | {"accept-encoding", "range"}


def download(store: Store, request: Request, name: str) -> Response:
    """Answer GET or HEAD of a file; raise HTTPError."""
    found = store.find(name)
    if _ASKING.isdisjoint(request.headers):
        return found.whole(None)
    # RFC 9110, 14.2: it counts for GET alone.
    wanted = request.headers.get("range") if request.method == "GET" else None
    if wanted is None:
        found = _prefer_ready(request, found, store, name)
    try:
        return _answer(request, found, wanted, store.wall_clock())
    except HTTPError:
        found.close()
        raise


def _prefer_ready(request: Request, found: Representation, store: Store, name: str) -> Representation:
    """Return what stands ready in a coding that the client prefers, in place of what was found."""
    accepted = request.headers.get("accept-encoding")
    if not accepted or not found.about.compressible:
        return found
    ready = store.beside.find(name, preferred_codings(accepted), found.about)
    if ready is None:
        return found
    found.close()
    return ready


def _answer(request: Request, found: Representation, wanted: str | None, now: float) -> Response:
    """Answer a request for a part, for what may have changed, or in a coding; raise HTTPError."""
    headers = request.headers
    coding = request.head.coding if wanted is None else None
    validators = found.about.validators_as(coding)
    status = evaluate(request.method, headers, validators, now)
    if status == 304:
        found.close()
        return Response(304, b"", (("ETag", validators.etag), *_varying(found.about)))
    if status is not None:
        raise HTTPError(status, "the file is not what the request expects")
    if wanted is not None and range_applies(headers, validators, now):
        parts = read_ranges(wanted, found.about.size)
        if parts is not None:
            return _partial(found, parts)
    return found.whole(coding)


def _varying(about: Description) -> Fields:
    """Return the field that a response has where another client may get another coding."""
    return (("Vary", "Accept-Encoding"),) if about.compressible or about.coding is not None else ()


def _partial(found: Representation, parts: list[range]) -> Response:
    """Return 206 with these parts; raise HTTPError(416) when there are none."""
    about = found.about
    if not parts:
        reason = f"there are {about.size} octets, and none of those asked for"
        raise HTTPError(416, reason, (("Content-Range", unsatisfied_range(about.size)),))
    fields = (*about.fields, *_varying(about))
    if len(parts) == 1:
        field = ("Content-Range", content_range(parts[0], about.size))
        return Response(206, found.part(parts[0]), (*fields, field))
    boundary = secrets.token_hex(16)
    kind = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    others = tuple(field for field in fields if field[0] != "Content-Type")
    return Response(206, _multipart(found, parts, boundary.encode()), (kind, *others))


def _multipart(found: Representation, parts: list[range], boundary: bytes) -> Content:
    """Return several parts as multipart/byteranges (RFC 9110, 14.6)."""
    kind, size = dict(found.about.fields)["Content-Type"], found.about.size
    pieces = [(multipart_head(boundary, kind, part, size), part) for part in parts]
    return Pieces(found, pieces, multipart_end(boundary))

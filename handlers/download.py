"""A download: GET and HEAD of a file, whole or in parts, or not at all where the client has it.

1. What is sent is selected: the file as it is, compressed on the way, or what stands beside it in a
   coding that the client prefers. Who asks for a part of it gets it as it is.
2. Preconditions, in the order of RFC 9110, 13.2.2: 304 or 412 instead.
3. Range, where If-Range agrees: 206 with one part or several, 416 with none (RFC 9110, 14).

It knows no path; the store does.
"""

import secrets

from handlers.representation import Pieces, Representation
from handlers.store import Store
from reactor.http11.coding import preferred_codings
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import Content, Request, Response
from reactor.http11.preconditions import CONDITIONAL, evaluate, range_applies
from reactor.http11.ranges import content_range, multipart_end, multipart_head, read_ranges, unsatisfied

# A request with none of these asks for all of the content, whatever the client has.
_ASKING = CONDITIONAL | {"range"}


def download(request: Request, store: Store) -> Response:
    """Answer GET or HEAD of a file; raise ProtocolError."""
    name = request.params["name"]
    found = store.find(name)
    headers = request.headers
    accepted = headers.get("accept-encoding")
    if accepted is not None and found.compressible and headers.get("range") is None:
        beside = store.find_beside(name, preferred_codings(accepted), found)
        if beside is not None:
            found.close()
            found = beside
    if _ASKING.isdisjoint(headers):
        return found.whole(request.head.coding)
    try:
        return _answer(request, found, store.wall_clock())
    except ProtocolError:
        found.close()
        raise


def _answer(request: Request, found: Representation, now: float) -> Response:
    """Answer a request that has conditions, or asks for parts."""
    headers = request.headers
    wanted = headers.get("range") if request.method == "GET" else None  # RFC 9110, 14.2
    coding = request.head.coding if wanted is None else None
    validators = found.validators_as(coding)
    status = evaluate(request.method, headers, validators, now)
    if status == 304:
        found.close()
        return Response(304, b"", _fields_of_304(found, validators.etag))
    if status is not None:
        raise ProtocolError(status, "the file is not what the request expects")
    if wanted is not None and range_applies(headers, validators, now):
        parts = read_ranges(wanted, found.size)
        if parts is not None:
            return _partial(found, parts)
    return found.whole(coding)


def _fields_of_304(found: Representation, etag: str) -> tuple[tuple[str, str], ...]:
    """Return the fields that the 200 would have, as far as they are of use (RFC 9110, 15.4.5)."""
    varies = found.compressible or found.coding is not None
    return (("ETag", etag), ("Vary", "Accept-Encoding")) if varies else (("ETag", etag),)


def _partial(found: Representation, parts: list[range]) -> Response:
    """Return 206 with these parts; raise ProtocolError(416) when there are none."""
    if not parts:
        reason = f"there are {found.size} octets, and none of those asked for"
        raise ProtocolError(416, reason, (("Content-Range", unsatisfied(found.size)),))
    compress_from = None
    fields = found.fields
    if found.compressible:
        fields = (*fields, ("Vary", "Accept-Encoding"))
    if len(parts) == 1:
        field = ("Content-Range", content_range(parts[0], found.size))
        return Response(206, found.part(parts[0]), (*fields, field), compress_from)
    boundary = secrets.token_hex(16).encode()
    kind = dict(fields)["Content-Type"]
    field = ("Content-Type", f"multipart/byteranges; boundary={boundary.decode()}")
    others = tuple(each for each in fields if each[0] != "Content-Type")
    return Response(206, _multipart(found, parts, boundary, kind), (field, *others))


def _multipart(found: Representation, parts: list[range], boundary: bytes, kind: str) -> Content:
    """Return several parts as multipart/byteranges (RFC 9110, 14.6)."""
    pieces = [(multipart_head(boundary, kind, part, found.size), part) for part in parts]
    return Pieces(found, pieces, multipart_end(boundary))

"""``/files/{name...}``: GET sends a file, POST and PUT store one, DELETE removes it where that is allowed.

What a name means that is a directory's stands in ``handlers/browse.py``.

1. A download is the whole of a file, parts of it, or the word that it has not changed
   (``handlers/download.py``).
2. An upload goes to its place as it comes, and stands under its name when it is whole
   (``handlers/upload.py``). Conditions are asked before the content is taken, and again before it
   replaces anything (RFC 9110, 13); a digest is checked on the way (``handlers/digests.py``).
3. One that is interrupted may go on, where that is wanted (``handlers/resumable.py``).
"""

from collections.abc import Callable
from functools import partial

from handlers.browse import form_answers_too, forms_too, listing_too, with_slash
from handlers.digests import CheckedUpload, read_digests
from handlers.download import download
from handlers.other_sites import refuse_others_than
from handlers.resumable import Partials, Writer
from handlers.store import Condition, Store
from handlers.upload import Upload
from reactor.http11.grammar import ProtocolError
from reactor.http11.headers import Headers
from reactor.http11.message import Request, Response
from reactor.http11.preconditions import CONDITIONAL, Validators, evaluate, is_conditional
from reactor.routing import Router, Sink

PATTERN = "/files/{name...}"

# An upload with none of these is stored as it comes, whatever stands there.
_SPECIAL = CONDITIONAL | {"content-encoding", "content-range", "repr-digest", "upload-complete"}


class Files:
    """What answers the requests for the files of one store.

    ``partials`` are the uploads that may go on after they were interrupted, None for none. ``allowed_origin``
    is the one whose pages may upload as this server's own may, "*" for all.
    """

    def __init__(
        self, store: Store, partials: Partials | None = None, allowed_origin: str | None = None
    ) -> None:
        self._store = store
        self._partials = partials
        self._refuse_others = refuse_others_than(allowed_origin)
        self._form_or_file = forms_too(store, self._place)

    def install(self, routes: Router, read_only: bool = False, allow_delete: bool = False) -> None:
        """Add the routes; those that change something only where that is allowed."""
        routes.get("/files")(with_slash)
        routes.get(PATTERN)(listing_too(self._store, partial(download, self._store), not read_only))
        if read_only:
            return
        routes.post(PATTERN, sink=self._place_post)(form_answers_too(self._stored))
        routes.route("PUT", PATTERN, sink=self._place)(self._stored)
        if allow_delete:
            routes.route("DELETE", PATTERN)(self._delete)
        if self._partials is not None:
            self._partials.install(routes)

    # Places for content.

    def _place_post(self, request: Request) -> Sink:
        self._refuse_others(request)
        return self._form_or_file(request)

    def _place(self, request: Request) -> Sink:
        if _SPECIAL.isdisjoint(request.headers):
            return self._store.create(request.params["name"], max(0, request.head.length))
        complete = request.headers.get("upload-complete")
        if self._partials is not None and complete is not None:
            return self._partials.begin(request, lambda: self._place_special(request))
        if complete == "?0":  # it would stand there as if it were the whole
            raise ProtocolError(400, "an upload in parts is not taken here")
        return self._place_special(request)

    def _place_special(self, request: Request) -> Upload | CheckedUpload:
        """Make a place for an upload with conditions or a digest; raise ProtocolError."""
        headers = request.headers
        if request.method == "PUT":
            _check_representation(headers)
        digest = headers.get("repr-digest")
        digests = {} if digest is None else read_digests(digest)
        condition = _condition(request, self._store.wall_clock)
        upload = self._store.create(request.params["name"], max(0, request.head.length), condition)
        return CheckedUpload(upload, digests) if digests else upload

    # Answers.

    def _stored(self, request: Request) -> Response:
        """Let an upload stand under its name; say whether PUT replaced what stood there (RFC 9110, 9.3.4)."""
        if isinstance(request.content, Writer):
            return request.content.answer_beginning()
        upload: Upload = request.content
        upload.commit(late=request.head.length < 0)  # the last chunk may come long after the octets
        if upload.replaces and request.method == "PUT":
            return Response(204)
        return Response(201, b"", (("Location", request.path),))

    def _delete(self, request: Request) -> Response:
        self._store.remove(request.params["name"], _condition(request, self._store.wall_clock))
        return Response(204)


def _check_representation(headers: Headers) -> None:
    """See that the content is the whole of what is to stand there (RFC 9110, 9.3.4); raise ProtocolError."""
    if headers.get("content-range") is not None:  # RFC 9110, 14.5
        raise ProtocolError(400, "a part of a file cannot be stored")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ProtocolError(415, "content is stored as it comes", (("Accept-Encoding", "identity"),))


def _condition(request: Request, wall_clock: Callable[[], float]) -> Condition | None:
    """Return the precondition of a request that changes something; None where there is none."""
    if not is_conditional(request.headers):
        return None

    def check(current: Validators | None) -> None:
        status = evaluate(request.method, request.headers, current, wall_clock())
        if status is not None:
            raise ProtocolError(status, "what stands there is not what the request expects")

    return check

"""``/files/{name...}``: GET sends a file, POST and PUT store one; directories are in ``browse.py``.

A download leaves from memory where the file is small, and else as a slice of the open file. An
upload goes to its place as it comes, and stands under its name when it is whole; see
``handlers/store.py`` for how.
"""

from handlers.browse import form_answers_too, forms_too, listing_too, with_slash
from handlers.store import Store
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import OCTETS, FileSlice, Request, Response
from reactor.routing import Router, Sink


def install(routes: Router, store: Store, read_only: bool = False) -> None:
    """Add the routes; without POST when the store is to be read only."""

    def download(request: Request) -> Response:
        return Response(200, store.content(request.params["name"]), OCTETS)

    routes.get("/files")(with_slash)
    routes.get("/files/{name...}")(listing_too(store, download, not read_only))

    if read_only:
        return

    def place(request: Request) -> Sink:
        return store.create(request.params["name"], max(0, request.head.length))

    def place_with_put(request: Request) -> Sink:
        if request.headers.get("If-None-Match") == "*" and _exists(store, request.params["name"]):
            raise ProtocolError(412, "there is a file of this name")
        return place(request)

    def upload(request: Request) -> Response:
        request.content.commit()
        return Response(201)

    routes.post("/files/{name...}", forms_too(store, place))(form_answers_too(upload))
    routes.route("PUT", "/files/{name...}", place_with_put)(upload)


def _exists(store: Store, name: str) -> bool:
    try:
        content = store.content(name)
    except ProtocolError:
        return False
    if isinstance(content, FileSlice):
        content.close()
    return True

"""``/files/{name...}``: GET sends a file, POST stores one.

A download leaves from memory where the file is small, and else as a slice of the open file. An
upload goes to its place as it comes, and stands under its name when it is whole; see
``handlers/store.py`` for how.
"""

from handlers.store import Store
from reactor.http11.message import OCTETS, Request, Response
from reactor.routing import Router, Sink


def install(routes: Router, store: Store, read_only: bool = False) -> None:
    """Add the routes; without POST when the store is to be read only."""

    @routes.get("/files/{name...}")
    def download(request: Request) -> Response:
        return Response(200, store.content(request.params["name"]), OCTETS)

    if read_only:
        return

    def place(request: Request) -> Sink:
        return store.create(request.params["name"], max(0, request.head.length))

    @routes.post("/files/{name...}", sink=place)
    def upload(request: Request) -> Response:
        request.content.commit()
        return Response(201)

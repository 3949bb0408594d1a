"""The handlers: plain functions from a request to a response, one file an endpoint family.

They import the application's vocabulary, ``reactor.routing`` and ``reactor.http11``, and nothing of
the machinery; so each of them can be called in a test with a request made by hand.
"""

from reactor.routing import Router

from . import echo, root, user_agent
from .files.resumable import UploadRegistry
from .files.routes import Files
from .files.store import Store


def build(
    store: Store | None = None,
    read_only: bool = False,
    allow_delete: bool = False,
    resumable: int | None = None,
    routes: Router | None = None,
    allowed_origin: str | None = None,
) -> Router:
    """Make the routes of the built-in server, in a router if one is given; without a store no files.

    ``resumable`` is the maximum size of a resumable upload in octets; None disables resumable uploads.
    ``allowed_origin`` is an origin whose pages may upload as our own may, "*" for all.
    """
    routes = Router() if routes is None else routes
    root.install(routes)
    echo.install(routes)
    user_agent.install(routes)
    if store is not None:
        registry = None if resumable is None else UploadRegistry(resumable)
        if registry is not None:
            store.when_closed(registry.close)
        Files(store, registry, allowed_origin, read_only).install(routes, allow_delete)
    return routes

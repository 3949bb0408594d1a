"""The request handlers of the built-in server: plain functions from a request to a response.

There is one file per group of endpoints. Handlers import only ``reactor.routing`` and ``reactor.http11``, not
the server or the event loop, so tests can call them with requests that they build themselves.
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
    """Add the routes of the built-in server to ``routes``, or to a new router; return it.

    The file routes are added only if there is a ``store``. ``resumable`` is the maximum size of a resumable
    upload in bytes; None disables resumable uploads. ``allowed_origin`` is another origin whose pages may
    upload, "*" for any.
    """
    routes = Router() if routes is None else routes
    echo.install(routes)
    user_agent.install(routes)
    if store is None:
        root.install(routes)
    else:
        registry = None if resumable is None else UploadRegistry(resumable)
        if registry is not None:
            store.on_close(registry.close)
            store.root.before_replacement(registry.drop_idle)
        files = Files(store, registry, allowed_origin, read_only)
        files.install(routes, allow_delete)
        root.install(routes, files.front_page)
    return routes

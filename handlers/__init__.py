"""The handlers: plain functions from a request to a response, one file an endpoint family.

They import the application's vocabulary, ``reactor.routing`` and ``reactor.http11``, and nothing of
the machinery; so each of them can be called in a test with a request made by hand.
"""

from handlers import echo, files, root, user_agent
from handlers.store import Store
from reactor.routing import Router


def build(store: Store | None = None, read_only: bool = False, routes: Router | None = None) -> Router:
    """Make the routes of the built-in server, in a router if one is given; without a store no files."""
    routes = Router() if routes is None else routes
    root.install(routes)
    echo.install(routes)
    user_agent.install(routes)
    if store is not None:
        files.install(routes, store, read_only)
    return routes

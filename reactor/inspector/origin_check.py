"""Access to the inspector: for its own page and for programs, and not for pages of other sites.

1. Host must be one of ``reactor.allowed_hosts``: ``localhost``, an IP address, or the name that was given to
   ``--inspect`` or ``--allowed-host``. A page whose name resolves to this machine (DNS rebinding) has
   another one.
2. Origin, which a browser sends with whatever changes something, must be the same as Host.
3. Sec-Fetch-Site, which newer browsers send with everything, must not say that it was another site, unless a
   link to the page itself was followed: the page alone shows nothing of the server.

So a web page elsewhere can neither pause a server nor read what is on it.
"""

from collections.abc import Iterable, Sequence

from reactor.allowed_hosts import AllowedHosts, is_name
from reactor.basic_auth import with_check
from reactor.http11.cors import is_cross_origin
from reactor.http11.errors import HTTPError
from reactor.http11.message import Params, Request
from reactor.routing import Route, Router


class LocalRouter(Router):
    """A router that answers only the inspector's own page, and programs.

    It is served at ``host``, and at ``names`` besides ``localhost`` and IP addresses.
    """

    def __init__(self, host: str, names: Iterable[str] = ()) -> None:
        super().__init__()
        own = host.lower().removesuffix(".")
        self._hosts = AllowedHosts(
            [*names, own] if is_name(own) else names,
            "the inspector is served at localhost, IP addresses and names given with --allowed-host",
        )

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route that a plain router finds, with the check of where a request comes from."""
        route, params = super().resolve(method, segments)
        return with_check(route, self._check), params

    def _check(self, request: Request) -> None:
        self._hosts.check(request)
        if is_cross_origin(request, "http", check_site=not _follows_link(request)):
            raise HTTPError(403, "a page of another site may not use the inspector")


def _follows_link(request: Request) -> bool:
    """Say whether a browser opens the page in a tab, as a link or a bookmark has it."""
    field = request.headers.get
    is_navigation = field("sec-fetch-mode") == "navigate" and field("sec-fetch-dest") == "document"
    return is_navigation and request.path == "/" and request.method in ("GET", "HEAD")

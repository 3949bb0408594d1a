"""Access control of the inspector: its own page and programs are allowed, pages of other sites are not.

1. Host must be allowed (``reactor.allowed_hosts``): ``localhost``, an IP address, or a name given with
   ``--inspect`` or ``--allowed-host``. This rejects other names that resolve to this machine (DNS rebinding).
2. Sec-Fetch-Site, which newer browsers send with every request, must not indicate another site, except for
   navigation to the page itself, which contains no data of the server.
3. Without Sec-Fetch-Site, Origin, which browsers send with every POST, must match Host
   (``reactor.http11.cors``).

So a page on another site can neither pause the server nor read its data.
"""

from collections.abc import Iterable, Sequence

from reactor.allowed_hosts import AllowedHosts, is_name
from reactor.basic_auth import with_check
from reactor.http11.cors import is_cross_origin
from reactor.http11.errors import HTTPError
from reactor.http11.message import Params, Request
from reactor.routing import Route, Router


class LocalRouter(Router):
    """A router that rejects requests of pages of other sites.

    Besides ``localhost`` and IP addresses, ``host`` and ``names`` are allowed as Host.
    """

    def __init__(self, host: str, names: Iterable[str] = ()) -> None:
        super().__init__()
        own = host.lower().removesuffix(".")
        self._hosts = AllowedHosts(
            [*names, own] if is_name(own) else names,
            "Host must be localhost, an IP address, or a name given with --allowed-host",
        )

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route found by the base class, with a check of Host and Origin."""
        route, params = super().resolve(method, segments)
        return with_check(route, self._check), params

    def _check(self, request: Request) -> None:
        self._hosts.check(request)
        if is_cross_origin(request, check_site=not _follows_link(request)):
            raise HTTPError(403, "cross-origin requests to the inspector are not allowed")


def _follows_link(request: Request) -> bool:
    """Return True if a browser navigates to the page, by a link or a bookmark."""
    header = request.headers.get
    is_navigation = header("sec-fetch-mode") == "navigate" and header("sec-fetch-dest") == "document"
    return is_navigation and request.path == "/" and request.method in ("GET", "HEAD")

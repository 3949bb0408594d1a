"""Who may use the inspector: this page in a browser, and programs; no page of another site.

1. Host must be one of ``reactor.allowed_hosts``: ``localhost``, an IP address, or the name that was given to
   ``--inspect``. A page whose name resolves to this machine (DNS rebinding) has another one.
2. Origin, which a browser sends with whatever changes something, must be the same as Host.
3. Sec-Fetch-Site, which newer browsers send with everything, must not say that it was another site.

So a web page elsewhere can neither pause a server nor read what is on it.
"""

from collections.abc import Sequence

from reactor.allowed_hosts import AllowedHosts, is_name
from reactor.guard import guarded
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import Params, Request
from reactor.routing import Route, Router

_OTHERS = ("cross-site", "same-site")


class LocalRouter(Router):
    """A router that answers nobody but the inspector's own page, and programs; ``host`` may be named."""

    def __init__(self, host: str) -> None:
        super().__init__()
        own = host.lower().removesuffix(".")
        self._hosts = AllowedHosts(
            [own] if is_name(own) else (), "the inspector is served at localhost and at IP addresses"
        )

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route that a plain router finds, behind the question who asks."""
        route, params = super().resolve(method, segments)
        return guarded(route, self._check), params

    def _check(self, request: Request) -> None:
        self._hosts.check(request)
        origin = request.headers.get("origin")
        foreign = origin is not None and origin.lower() != f"http://{(request.head.host or '').lower()}"
        if foreign or request.headers.get("sec-fetch-site") in _OTHERS:
            raise ProtocolError(403, "a page of another site may not use the inspector")

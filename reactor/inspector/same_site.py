"""Who may use the inspector: this page in a browser, and programs; no page of another site.

1. Host must be ``localhost``, the number of an address, or the name that was given to ``--inspect``: a
   stranger's name that leads to this machine (DNS rebinding) is a name, and none of these.
2. Origin, which a browser sends with whatever changes something, must be the same as Host.
3. Sec-Fetch-Site, which newer browsers send with everything, must not say that it was another site.

So a web page elsewhere can neither pause a server nor read what is on it.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from reactor.guard import guarded
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import Params, Request
from reactor.routing import Route, Router

_OTHERS = ("cross-site", "same-site")


class LocalRouter(Router):
    """A router that answers nobody but the inspector's own page, and programs; ``host`` may be named."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._names = ("localhost", host.lower())

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route that a plain router finds, behind the question who asks."""
        route, params = super().resolve(method, segments)
        return guarded(route, self._check), params

    def _check(self, request: Request) -> None:
        host = str(request.headers.get("host", "")).lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name not in self._names and not is_number(name.strip("[]")):
            raise ProtocolError(403, "the inspector answers to localhost and to numbers, not to this name")
        origin = request.headers.get("origin")
        foreign = origin is not None and origin.lower() != f"http://{host}"
        if foreign or request.headers.get("sec-fetch-site") in _OTHERS:
            raise ProtocolError(403, "a page of another site may not use the inspector")


def is_number(name: str) -> bool:
    """Say whether a name is the number of an address.

    >>> is_number("127.0.0.1"), is_number("::1"), is_number("rebound.example")
    (True, True, False)
    """
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

"""Basic authentication: requests require a user and a password (RFC 9110, 11; RFC 7617).

    Method            --auth   --auth-upload   both
    OPTIONS           anyone   anyone          anyone
    GET, HEAD, TRACE  auth     anyone          auth or auth-upload
    any other         auth     auth-upload     auth-upload

1. Every route is replaced by one with a check, including the error routes (404, 405, 501). So no route can
   be forgotten, and unauthenticated clients cannot find out which paths exist.
2. A request without valid credentials gets 401 before any of its body is read.
3. A password is stored as a digest, compared in constant time, and never logged.
4. The response to a wrong password is delayed (``server/failed_logins.py``); a right one is accepted at once.

OPTIONS is open because a browser's preflight has no password; the response has the methods of a pattern,
such as all of ``/files``, and does not depend on which files exist.
"""

import unicodedata
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest

from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError, LoginError
from reactor.http11.grammar import match_basic
from reactor.http11.message import HeaderPairs, Params, Request
from reactor.http11.results import Result
from reactor.routing import Route, Router, Sink

MAX_CREDENTIALS = 1024  # bytes; in base64 they fit in a header line
OPEN_METHOD = "OPTIONS"
READ_METHODS = ("GET", "HEAD", "TRACE")  # with OPTIONS, the safe methods: RFC 9110, 9.2.1

# Raises HTTPError(401) for a request without credentials, and LoginError(401) for wrong ones.
Check = Callable[[Request], None]


def digest(credentials: str) -> bytes:
    """Check and hash USER:PASSWORD; raise ValueError if it is invalid, without the value."""
    user, colon, password = credentials.partition(":")
    if not colon or not user or not password:
        raise ValueError("expected USER:PASSWORD, both non-empty")
    if any(unicodedata.category(each) == "Cc" for each in credentials):  # RFC 7617, 2
        raise ValueError("control character in the user or password")
    try:
        data = unicodedata.normalize("NFC", credentials).encode()  # RFC 7617, 2.1
    except UnicodeEncodeError:
        raise ValueError("the user or password is not valid UTF-8") from None
    if len(data) > MAX_CREDENTIALS:
        raise ValueError(f"the user and password exceed {MAX_CREDENTIALS} bytes")
    return sha256(data).digest()


class AuthRouter(Router):
    """A router whose routes require a user and a password, given as a result of ``digest``.

    ``auth`` is required for all requests, ``auth_upload`` for requests that change something; None: no
    password.
    """

    def __init__(
        self, auth: bytes | None = None, auth_upload: bytes | None = None, cors: bool = False
    ) -> None:
        super().__init__(cors)
        self._auth = auth
        self._auth_upload = auth_upload

    def replace_passwords(self, auth: bytes | None = None, auth_upload: bytes | None = None) -> None:
        """Replace digests from the next request on (None: keep it); raise ValueError to add one.

        Connections stay open. A request whose body is still being received is checked again when its body is
        complete, against the new digests.
        """
        if (auth and self._auth is None) or (auth_upload and self._auth_upload is None):
            # Routes without a check are cached.
            raise ValueError(
                "cannot add a password to a running server, only replace one (restart the server)"
            )
        self._auth = auth or self._auth
        self._auth_upload = auth_upload or self._auth_upload

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route that a plain router finds, with a check of the credentials."""
        route, params = super().resolve(method, segments)
        if method == OPEN_METHOD:
            return route, params
        if method not in READ_METHODS and self._auth_upload is not None:
            return with_check(route, self._check_change), params
        return (route if self._auth is None else with_check(route, self._check_read)), params

    # Targets cache their routes, so the digests are read for each request.

    def _check_read(self, request: Request) -> None:
        _check(request, [each for each in (self._auth, self._auth_upload) if each is not None], "Reactor")

    def _check_change(self, request: Request) -> None:
        assert self._auth_upload is not None, "no digest for changes"
        readers = [] if self._auth is None else [self._auth]
        _check(request, [self._auth_upload], "Reactor, changes", readers)


class _CheckedRoute:
    """A route with a check before the sink is opened, and before the handler is called."""

    __slots__ = ("_check", "_route")

    def __init__(self, route: Route, check: Check) -> None:
        self._route = route
        self._check = check

    def answer(self, request: Request) -> Result | Deferred:
        """Call the handler if the request passes the check."""
        self._check(request)
        return self._route.handler(request)

    def open_sink(self, request: Request) -> Sink:
        """Open the sink if the request passes the check."""
        self._check(request)
        assert self._route.sink is not None, "route without a sink"
        return self._route.sink(request)


def with_check(route: Route, check: Check) -> Route:
    """Return a route that checks requests before its sink is opened and its handler is called."""
    checked = _CheckedRoute(route, check)
    sink = None if route.sink is None else checked.open_sink
    return Route(route.template, checked.answer, sink, route.always_open_sink, route.limits, route.function)


def _check(request: Request, digests: Sequence[bytes], realm: str, others: Sequence[bytes] = ()) -> None:
    """Raise HTTPError(401) for a request whose credentials match none of these digests.

    It is a LoginError unless they match one of the ``others``, which are valid, but not for this request.
    """
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise HTTPError(401, "authentication required", _challenge(realm))
    user_pass = _user_pass(authorization)
    received = sha256(user_pass).digest()
    # All are compared, so that the time does not depend on which one matches.
    if True not in [compare_digest(received, each) for each in digests]:
        if True in [compare_digest(received, each) for each in others]:
            raise HTTPError(401, "wrong user or password", _challenge(realm))
        name, colon, _ = user_pass.partition(b":")
        # Without a colon, it may be a password, which is not logged.
        user = name.decode("utf-8", "replace") if colon else ""
        raise LoginError(401, "wrong user or password", _challenge(realm), user)


def _challenge(realm: str) -> HeaderPairs:
    return (("WWW-Authenticate", f'Basic realm="{realm}", charset="UTF-8"'),)


def _user_pass(authorization: str) -> bytes:
    """Return USER:PASSWORD from a value of Authorization, b"" if it is malformed.

    Two lines were combined by a comma, which does not match the grammar.
    """
    match = match_basic(authorization)
    return b"" if match is None else a2b_base64(match[1])

"""Error handlers: functions that make the responses to errors (``Router.error``).

1. That of the error's status precedes those of its type, and the type's own precede those of its bases.
2. Only an HTTPError has a status, and only handlers for HTTPError and its subclasses apply to it. Any other
   exception becomes a 500 if its type has no handler.
3. Text, bytes and JSON get the status of the error. A Response keeps its own, and gets the headers of the
   error that it lacks, such as Allow.
4. An error handler may raise another HTTPError, which gets its default response. One that fails is logged,
   and the client gets the default response with 500.
5. A malformed request (ProtocolError), and one for a host that is not allowed (HostError), which may come
   from another site's page, always get the default response.
"""

import logging
from collections.abc import Callable

from reactor.http11.error_page import error_response
from reactor.http11.errors import HostError, HTTPError, ProtocolError
from reactor.http11.message import Request, Response
from reactor.http11.results import Result, ResultError, name_of_function, to_response, with_missing_headers

log = logging.getLogger("reactor")

HANDLER_FAILED = "the request handler failed"

DEFAULT_ONLY = (ProtocolError, HostError)

# For a status, any HTTPError; for a type, an exception of this type.
ErrorKey = int | type[Exception]
# Takes the request and the error, which has the registered type.
ErrorHandler = Callable[..., Result]


class ErrorHandlers:
    """The error handlers of a router, by status and by exception type."""

    __slots__ = ("_handlers",)

    def __init__(self) -> None:
        self._handlers: dict[object, ErrorHandler] = {}

    def add(self, key: ErrorKey, handler: ErrorHandler) -> None:
        """Add an error handler; raise ValueError for an invalid key, and for a second handler."""
        _check_key(key)
        if key in self._handlers:
            raise ValueError(f"{_name(key)} already has an error handler")
        self._handlers[key] = handler

    def find(self, error: Exception) -> ErrorHandler | None:
        """Return the most specific handler of an error, or None."""
        if isinstance(error, DEFAULT_ONLY):
            return None
        if isinstance(error, HTTPError) and error.status in self._handlers:
            return self._handlers[error.status]
        # One for KeyError must not answer a missing field, nor one for Exception every refusal.
        base: type[Exception] = HTTPError if isinstance(error, HTTPError) else Exception
        for each in type(error).__mro__:
            if each in self._handlers and issubclass(each, base):
                return self._handlers[each]
        return None

    def respond(self, request: Request, error: Exception) -> Response:
        """Return the response to an error, by its handler or by default."""
        handler = self.find(error) if self._handlers else None
        if handler is None:
            known = error if isinstance(error, HTTPError) else HTTPError(500, HANDLER_FAILED)
            # A 500 made of another exception can have a handler of its own.
            return error_response(request, known) if known is error else self.respond(request, known)
        status, headers = (error.status, error.headers) if isinstance(error, HTTPError) else (500, ())
        try:
            return with_missing_headers(to_response(handler(request, error), status), headers)
        except HTTPError as refusal:
            return error_response(request, refusal)
        except ResultError as wrong:
            log.error("the error handler %s returned %s", name_of_function(handler), wrong)
        except Exception:
            log.exception("unhandled exception in the error handler %s", name_of_function(handler))
        return error_response(request, HTTPError(500, HANDLER_FAILED))


def _check_key(key: object) -> None:
    """Raise ValueError unless a key is a status from 400 to 599 or an exception type."""
    if isinstance(key, int) and not isinstance(key, bool):
        if key in range(400, 600):
            return
        raise ValueError(f"invalid error status: {key!r} (expected 400 to 599)")
    if not isinstance(key, type) or not issubclass(key, Exception):
        raise ValueError(f"invalid error: {key!r} (expected a status, such as 404, or an exception type)")
    if issubclass(key, DEFAULT_ONLY):
        raise ValueError(f"invalid error: {key.__name__} (it always gets the default response)")


def _name(key: ErrorKey) -> str:
    return str(key) if isinstance(key, int) else key.__qualname__

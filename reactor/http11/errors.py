"""Errors that become responses: raised by handlers, and by the parser for malformed requests."""

from collections.abc import Mapping

from reactor.http11.header_pairs import HeaderSource, header_pairs
from reactor.settings import format_size


class HTTPError(Exception):
    """An error response: its status (400 to 599), the reason in one line, and headers.

    Handlers, sinks and checks raise it to refuse a request. The client gets the reason, which is also the
    text of the exception. ``headers`` are a mapping, or (name, value) pairs. Raises ValueError for any other
    status.
    """

    def __init__(self, status: int, reason: str, headers: HeaderSource = ()) -> None:
        if status not in range(400, 600):
            raise ValueError(f"invalid error status: {status!r} (expected 400 to 599)")
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = header_pairs(headers)

    def __str__(self) -> str:
        return self.reason


class ProblemError(HTTPError):
    """An HTTPError of a registered problem type, whose response is JSON for programs (RFC 9457).

    ``name`` is its name in the registry of IANA, ``members`` holds the title and the extension members.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        headers: HeaderSource,
        name: str,
        members: Mapping[str, str | int],
    ) -> None:
        super().__init__(status, reason, headers)
        uri = f"https://iana.org/assignments/http-problem-types#{name}"
        self.details = {"type": uri, "status": status, "detail": reason, **members}


class MissingFieldError(HTTPError, KeyError):
    """A field that a request lacks, which is a client's error: the response is 400, not 500.

    It is also a KeyError, so that the mapping that raises it is like any other.
    """

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(400, f"missing {kind}: {quote(name)}")


class LoginError(HTTPError):
    """Wrong credentials, sent for ``user``: the server delays the response and logs the failure.

    A request without credentials is an HTTPError(401), which is answered at once.
    """

    def __init__(self, status: int, reason: str, headers: HeaderSource = (), user: str = "") -> None:
        super().__init__(status, reason, headers)
        self.user = user


class HostError(HTTPError):
    """The host of a request is not one that the server answers."""


class ProtocolError(HTTPError):
    """A malformed request (RFC 9112): the error response is sent, then the connection is closed."""


def content_too_large(limit: int) -> HTTPError:
    """Return the error for a request body that is larger than a limit in bytes."""
    return HTTPError(413, f"request body exceeds {format_size(limit)}")


def quote(text: str) -> str:
    r"""Return a client's text for an error message: in quotes, in ASCII, at most 40 characters.

    >>> print(quote("a\nb"))
    'a\nb'
    """
    return f"{text!a}" if len(text) <= 40 else f"{text[:40]!a}..."


def error_body(reason: str) -> bytes:
    """Return the body of an error response: one line of plain text (UTF-8) with the reason."""
    return f"{reason}\n".encode()

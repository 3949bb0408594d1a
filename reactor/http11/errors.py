"""Errors that are answered with a status: refusals by handlers, and malformed requests."""

from typing import Any


class HTTPError(Exception):
    """A request that must be refused: the status to answer with (400 to 599), the reason in one line.

    ``headers`` are further fields of the answer, as (name, value) pairs: what may be asked instead.
    ``request`` is what could be read of a request whose head is at fault, None where that is known.
    """

    request: Any = None

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        if status not in range(400, 600):
            raise ValueError(f"{status!r} is no status to refuse a request with")
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class ProtocolError(HTTPError):
    """A malformed request (RFC 9112): it is answered, and its connection is closed."""

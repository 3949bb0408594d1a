"""The features of the server under simulation: what the options of the command turn on.

    unnamed         which step of unnamed files fails, "" for none
    delete          DELETE of files
    uploads         resumable uploads, at most so many at once; 0: none
    precompressed   variants of files
    reading         the password that every request needs, "" for none
    changing        the password that uploads and deletes need, which also permits reading
    origin          the origin whose pages may use the server (CORS), "" for none

Each seed has features of its own.
"""

from base64 import b64encode
from random import Random
from typing import NamedTuple

from reactor.basic_auth import AuthRouter, digest
from reactor.http11.cors import cors_headers
from reactor.http11.default_headers import encode_headers
from reactor.routing import Router

MAX_RESUMABLE = 1 << 20  # bytes
ORIGIN = "https://app.example"
READING = ("GET", "HEAD", "OPTIONS")


class Features(NamedTuple):
    """What is turned on; see above."""

    unnamed: str
    delete: bool
    uploads: int
    precompressed: bool
    reading: str
    changing: str
    origin: str

    @property
    def has_passwords(self) -> bool:
        """Whether any request needs a password."""
        return bool(self.reading or self.changing)

    @property
    def allowed_origin(self) -> str:
        """The origin whose pages may upload: with passwords not every one."""
        return "" if self.has_passwords and self.origin == "*" else self.origin

    @property
    def allow(self) -> str:
        """The methods of a file."""
        return "GET, HEAD, POST, PUT, OPTIONS" + (", DELETE" if self.delete else "")

    def router(self) -> Router:
        """Return a router without routes."""
        if not self.has_passwords:
            return Router(bool(self.origin))
        reading, changing = (digest(each) if each else None for each in (self.reading, self.changing))
        return AuthRouter(reading, changing, bool(self.origin))

    def default_headers(self) -> bytes:
        """Return the header lines of every response."""
        if not self.origin:
            return b""
        return encode_headers(cors_headers(self.origin, self.has_passwords))

    def passwords(self, method: str) -> list[str]:
        """Return the passwords that permit a method, none if everyone may use it."""
        if method == "OPTIONS" or not self.has_passwords:
            return []
        if method not in READING and self.changing:
            return [self.changing]
        return [self.reading, *filter(None, [self.changing])] if self.reading else []

    def explain_wrong_fields(self, headers: dict[str, str]) -> str:
        """Return what is wrong with the CORS fields of a response, "" if they are right."""
        credentials = self.has_passwords and self.origin == ORIGIN
        for name, value in (
            ("access-control-allow-origin", self.origin or None),
            ("access-control-allow-credentials", "true" if credentials else None),
        ):
            if headers.get(name) != value:
                return f"{name} is {headers.get(name)!r}, not {value!r}"
        return ""


def choose_features(random: Random) -> Features:
    """Choose what is turned on."""
    choose = random.choice
    return Features(
        choose(("", "", "", "open", "link")),
        choose((True, True, False)),
        choose((0, 1, 3, 64)),
        choose((True, False, False)),
        choose(("", "", "", "", "anna:reads", "anna:reads")),
        choose(("", "", "", "", "otto:ch:nges", "otto:ch:nges")),
        choose(("", "", "*", ORIGIN)),
    )


def basic(credentials: str) -> str:
    """Write an Authorization field (RFC 7617)."""
    return f"Authorization: Basic {b64encode(credentials.encode()).decode()}"

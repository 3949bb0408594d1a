"""One entry of the corpus: the bytes of a request, the expected answer, and its form as two files.

``NAME.http`` holds the bytes, ``NAME.json`` the rest:

    status    what the built-in server answers, or "closing": no answer, as the request is not complete
    rfc       the section that decides it
    why       of an invalid one only: what is wrong, in one sentence
    request   of a valid one only: what the parsed request holds

This module knows no socket and no server.
"""

import json
from dataclasses import asdict, dataclass, field

CLOSING = "closing"


@dataclass(frozen=True)
class ParsedRequest:
    """What a parsed request holds. Bytes are written as the characters of ISO 8859-1.

    ``headers`` has those that matter, by name in lower case; None for one that must not be there.
    """

    method: str = "GET"
    segments: tuple[str, ...] = ("echo", "a")
    query: str = ""
    headers: dict[str, str | None] = field(default_factory=dict)
    content: str = ""
    keep_alive: bool = True


@dataclass(frozen=True)
class Entry:
    """One request; ``request`` is None for an invalid one, ``status`` None where closing is all."""

    name: str
    data: bytes
    status: int | None
    rfc: str
    why: str = ""
    request: ParsedRequest | None = None

    @property
    def directory(self) -> str:
        """The directory that its files are in."""
        return "invalid" if self.request is None else "valid"

    @property
    def keep_alive(self) -> bool:
        """Whether the connection persists, so that what follows is answered."""
        return self.request is not None and self.request.keep_alive

    @property
    def method(self) -> str:
        """The method, which says whether the answer has content."""
        return "GET" if self.request is None else self.request.method

    def files(self) -> dict[str, bytes]:
        """Return the files that hold this entry, by path below the corpus."""
        path = f"{self.directory}/{self.name}"
        return {f"{path}.http": self.data, f"{path}.json": self._description()}

    def _description(self) -> bytes:
        description: dict[str, object] = {"status": self.status or CLOSING, "rfc": self.rfc}
        if self.request is None:
            description["why"] = self.why
        else:
            description["request"] = asdict(self.request)
        return (json.dumps(description, indent=2) + "\n").encode("ascii")

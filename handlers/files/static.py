"""Static files: the files of one directory, read-only and without listings; types are guessed by the name."""

import os

from reactor.http11.message import Request, Response

from .download import download
from .media_types import guess
from .paths import OPEN_ROOT
from .store import Store

PATTERN = "/{path...}"


class StaticFiles:
    """The handler for the files of one directory. Raises OSError, with its path, if it cannot be opened."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        os.close(os.open(directory, OPEN_ROOT))  # a store can also be a single file
        self._store = Store(directory, media_type=guess)

    def get(self, request: Request) -> Response:
        """Respond to GET and HEAD of a file; raise HTTPError."""
        return download(self._store, request, request.params["path"])

    def close(self) -> None:
        """Close the directory."""
        self._store.close()

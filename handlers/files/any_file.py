"""A file anywhere in the file system, whose path the application chooses; symbolic links are followed.

It is opened for each request. In contrast to the files of a store, it is not cached, and precompressed
variants are not looked for.
"""

import time
from collections.abc import Callable
from threading import BoundedSemaphore

from .media_types import MediaType, file_type
from .metadata import FileMetadata, Representation
from .paths import http_error_from, not_found, open_regular
from .precompressed import PrecompressedFiles
from .store import MAX_COMPRESSIONS


class AnyFile:
    """A ``FileSource`` of paths. ``media_type`` returns the media type for a path."""

    # Those of the whole process, since they take its memory.
    compressions = BoundedSemaphore(MAX_COMPRESSIONS)

    def __init__(self, media_type: MediaType, wall_clock: Callable[[], float] = time.time) -> None:
        self.precompressed: PrecompressedFiles | None = None
        self.wall_clock = wall_clock
        self._media_type = media_type

    def find(self, name: str) -> Representation:
        """Open a regular file. Raise HTTPError: 404 if it is missing or unreadable, or not a regular file."""
        try:
            file, status = open_regular(name, None, follow_symlinks=True)
        except ValueError:  # NUL, or a character that is not in the encoding of the file system
            raise not_found() from None
        except OSError as error:
            found = http_error_from(error)
            raise not_found() if found.status == 403 else found from None
        metadata = FileMetadata(status, file_type(name, self._media_type), self.wall_clock())
        return Representation(metadata, None, file)

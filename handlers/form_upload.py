"""The upload of a form: each file in it goes into one directory, and all stand there, or none.

1. A file goes to the store as it comes; of its name the last component counts, and the store checks it.
2. When the form is whole all are committed, one after the other. When it breaks, nothing is left.

Fields without a file, and files without a name (a browser sends one when none was chosen), mean
nothing. It knows no format of a form, and no way to a disk.
"""

import os
import resource
from contextlib import ExitStack

from handlers.form import FormReader, Part, boundary_of
from handlers.store import Store
from handlers.upload import Upload
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import Request

MOST_FILES = 100  # in one form


class Places:
    """How many files all forms of one server hold open; each costs up to two descriptors.

    An eighth of all that may be open is for them: everybody else's files, and connections, need the rest.
    """

    def __init__(self) -> None:
        self._taken = 0

    def take(self) -> None:
        """Count one more; raise ProtocolError(503) where there are too many."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY and self._taken >= limit // 16:
            raise ProtocolError(503, "too many files of forms are on their way")
        self._taken += 1

    def give_back(self) -> None:
        """Count one less."""
        self._taken -= 1


class FormUpload:
    """A sink for a form whose files go into a directory, "" or a name with a slash at its end."""

    def __init__(self, store: Store, request: Request, directory: str, places: Places) -> None:
        os.close(store.open_directory(directory))  # refused before any content is read
        self._reader = FormReader(boundary_of(request.headers.get("Content-Type")))
        self._store = store
        self._places = places
        self._directory = directory
        self._open = ExitStack()
        self._uploads: list[Upload] = []
        self._current: Upload | None = None

    def write(self, octets: bytes) -> None:
        """Take a piece of the form; raise ProtocolError."""
        for each in self._reader.feed(octets):
            if isinstance(each, Part):
                self._current = self._begin(each)
            elif self._current is not None:
                self._current.write(each)

    def finish(self) -> "FormUpload":
        """Return the form itself, for the handler to commit; raise ProtocolError when it is not whole."""
        self._reader.end()
        if not self._uploads:
            raise ProtocolError(400, "there is no file in the form")
        return self

    def commit(self) -> None:
        """Let all files stand under their names."""
        for upload in self._uploads:
            upload.finish().commit(late=True)

    def close(self) -> None:
        """Close the files; remove those that were not committed."""
        self._open.close()

    def _begin(self, part: Part) -> Upload | None:
        """Make a place for a part; None when it is no file."""
        if not part.filename:
            return None
        if len(self._uploads) == MOST_FILES:
            raise ProtocolError(413, f"the form has over {MOST_FILES} files")
        # Some clients send the whole path.
        name = part.filename.replace("\\", "/").rpartition("/")[2]
        self._places.take()
        self._open.callback(self._places.give_back)
        upload = self._store.create(self._directory + name)
        self._open.callback(upload.close)
        self._uploads.append(upload)
        return upload

"""Form uploads (multipart/form-data): a sink that stores the files of a form.

The files of a form are stored in one directory, all of them or none:

1. Each file is written to a temporary file while it is received. The file's name is the last component of
   the name in the form, and is checked by the store (``names.py``).
2. When the form is complete, each file gets its name. No file is replaced: if the name exists, the file gets
   the next one that does not (``a (2).txt``). If one fails, the names of those before it are removed.

Fields without a file, and empty files without a name (browsers send one if no file was chosen), are ignored.
The form is parsed by ``http11/multipart.py``.
"""

import os
from contextlib import ExitStack

from reactor.http11.content_type import media_type
from reactor.http11.errors import HTTPError, quote
from reactor.http11.message import Request
from reactor.http11.multipart import MULTIPART, FormReader, Part, read_boundary
from reactor.routing import ViewSink

from .closing import LARGE
from .names import last_component, numbered
from .store import Store
from .upload import Upload, commit_error_from

MAX_FILES = 100  # in one form
MAX_NAMES = 1000  # tried for one file


class FormUpload(ViewSink):
    """A sink that stores the files of a form in a directory ("", or a name that ends with a slash)."""

    def __init__(self, store: Store, request: Request, directory: str) -> None:
        os.close(store.open_directory(directory))  # refuse before the body is read
        self._reader = FormReader(_require_boundary(request.headers.get("content-type", "")))
        self._store = store
        self._directory = directory
        self._directory_descriptor: int | None = None  # while the form is committed, until it is closed
        self._cleanup = ExitStack()
        self._linked = ExitStack()  # removes the names of the files
        self._uploads: list[tuple[Upload, str]] = []  # with the names in the form
        self._current: Upload | None = None
        self._part = Part("", None)
        self._unstored = 0  # bytes of the form, until it is committed

    def write(self, data: bytes | memoryview) -> None:
        """Parse a chunk of the form; raise HTTPError."""
        self._unstored += len(data)
        for each in self._reader.feed(data):
            if isinstance(each, Part):
                self._current = self._begin(each)
                self._part = each
            elif self._current is not None:
                self._current.write(each)
            elif self._part.filename is not None:
                raise HTTPError(400, 'missing file name: a file of the form has filename=""')

    def finish(self) -> "FormUpload":
        """Return itself for the handler to commit; raise HTTPError if the form is incomplete."""
        self._reader.end()
        if not self._uploads:
            raise HTTPError(400, "the form contains no file")
        return self

    def commit(self) -> None:
        """Store all files, or none; raise HTTPError."""
        try:
            self._directory_descriptor = parent = self._open_directory()
            for upload, _ in self._uploads:
                upload.prepare(parent)
            with ExitStack() as linked:
                next_number: dict[str, int] = {}
                for upload, name in self._uploads:
                    next_number[name] = link_new(upload, parent, name, next_number.get(name, 1)) + 1
                    linked.callback(upload.unlink, parent)
                self._linked = linked.pop_all()
                self._unstored = 0
        except OSError as error:
            raise commit_error_from(error) from None

    def _open_directory(self) -> int:
        """Open the directory of the first file, until the form is closed. Raise OSError or HTTPError."""
        root = self._store.root
        parent = self._uploads[0][0].open_parent()
        try:
            descriptor = os.dup(parent)  # the shared directory may be closed before the form is
        finally:
            root.close_parent(parent)
        self._cleanup.callback(os.close, descriptor)
        return descriptor

    def sync(self) -> None:
        """Write all files to the disk; raise OSError. May be called in another thread."""
        for upload, _ in self._uploads:
            upload.sync()

    def sync_directory(self) -> None:
        """Write the names of the files to the disk; on an error remove them, and raise OSError."""
        assert self._directory_descriptor is not None, "form not committed"
        try:
            os.fsync(self._directory_descriptor)
        except OSError:
            self._linked.close()
            raise

    def close(self) -> None:
        """Remove the temporary names; close the files, in the background if they are large."""
        parent = None if self._unstored else self._directory_descriptor
        for upload, _ in self._uploads:
            upload.remove(parent)
        if self._unstored >= LARGE:
            self._store.closer.in_background(self._cleanup.close)
        else:
            self._cleanup.close()

    def _begin(self, part: Part) -> Upload | None:
        """Begin the upload of a part; return None if it is not a file."""
        if not part.filename:
            return None
        if len(self._uploads) == MAX_FILES:
            raise HTTPError(413, f"too many files in the form (limit: {MAX_FILES})")
        name = last_component(part.filename)
        self._store.open_files.acquire()
        self._cleanup.callback(self._store.open_files.release)
        upload = self._store.create(self._directory + name, is_new=True)
        self._cleanup.callback(upload.close)
        self._uploads.append((upload, name))
        return upload


def _require_boundary(content_type: str) -> bytes:
    """Return the boundary of a form; raise HTTPError (415 for another media type)."""
    if media_type(content_type) != MULTIPART:
        media, _, _ = content_type.partition(";")
        found = f"invalid Content-Type for an upload to a directory: {quote(media)}"
        raise HTTPError(415, f"{found} (expected {MULTIPART}; or add a file name to the URL)")
    return read_boundary(content_type)


def link_new(upload: Upload, parent: int, name: str, first: int) -> int:
    """Store a file in an open directory under the first free name, numbered from ``first``.

    Return its number.

    Raise HTTPError(409) if all names exist, or OSError.
    """
    for number in range(first, MAX_NAMES + 1):
        try:
            upload.link(numbered(name, number).encode(), parent)
        except FileExistsError:
            continue
        return number
    last = quote(numbered(name, MAX_NAMES))
    raise HTTPError(409, f"all names from {quote(name)} to {last} exist; rename the file and upload it again")

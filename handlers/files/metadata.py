"""A file's metadata (fingerprint, validators, headers) and its representation in responses.

1. A fingerprint identifies a file and its content: device, inode, size, mtime and ctime.
2. The validators are derived from the fingerprint without ctime, which chmod, chown and links change too: a
   strong ETag, and Last-Modified (RFC 9110, 8.8). Content compressed on the fly has a different ETag.
3. The content is in memory or in an open file. While an open file is sent, its size and mtime are checked
   with each chunk; if the file has changed, the response is aborted rather than sent with wrong data.

The owner of an open representation must close or send it; sending closes it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator

from reactor.http11.conditional import Validators
from reactor.http11.dates import format_date
from reactor.http11.message import Content, File, FileSlice, HeaderPairs, Response, do_nothing

from .media_types import VARY, FileType

# Bytes per read of a file that is not sent by sendfile, usually because it is compressed. zlib takes half a
# millisecond for a chunk, and every response compressed in the same turn adds as much.
CHUNK_SIZE = 16 * 1024

# The end of the ETag of a file compressed on the fly, in place of the quote.
_GZIP_END = '-gzip"'

# Device, inode, size, and the times of the last change of the content and of the inode, in nanoseconds.
Fingerprint = tuple[int, int, int, int, int]
SIZE, MTIME, CTIME = 2, 3, 4  # indexes; creating a NamedTuple for each request would take 0.2 us longer


def fingerprint_of(status: os.stat_result) -> Fingerprint:
    """Return the fingerprint of a file, which changes whenever the content or the inode does."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def validators_of(status: os.stat_result, now: float) -> Validators:
    """Return the validators of a file; ``now`` is in seconds since the epoch.

    A modification time in the future is omitted (RFC 9110, 8.8.2.1). So are 0 and 1: package managers and
    build tools set them for every version of a file, so that they do not identify one.
    """
    digest = hashlib.blake2b(repr(fingerprint_of(status)[:CTIME]).encode(), digest_size=12).hexdigest()
    modified = status.st_mtime_ns // 1_000_000_000
    return Validators(f'"{digest}"', modified if modified <= now and modified not in (0, 1) else None)


class FileMetadata:
    """The metadata of a file at one moment; immutable, and shared by requests.

    ``headers`` are the headers of the file itself, ``gzip_headers`` those of the file compressed on the
    fly, if it is ``compressible``. ``varies`` is true if the response depends on Accept-Encoding. ``coding``
    is the content coding of a precompressed variant, or None.
    """

    __slots__ = (
        "coding",
        "compressible",
        "fingerprint",
        "gzip_headers",
        "gzip_validators",
        "headers",
        "size",
        "validators",
        "varies",
    )

    def __init__(self, status: os.stat_result, file_type: FileType, now: float) -> None:
        self.fingerprint = fingerprint_of(status)
        self.size = status.st_size
        self.coding = file_type.coding
        self.compressible = file_type.compressible
        self.varies = file_type.varies
        self.validators = self.gzip_validators = validators_of(status, now)
        vary = VARY if self.varies else ()
        self.headers = self.gzip_headers = file_type.headers + vary + validator_headers(self.validators)
        if self.compressible:
            # RFC 9110, 8.8.3.3: each coding has its own validator.
            etag = self.validators.etag[:-1] + _GZIP_END
            self.gzip_validators = Validators(etag, self.validators.modified)
            # Without Vary, which the serializer adds.
            self.gzip_headers = file_type.headers + validator_headers(self.gzip_validators)

    def validators_as(self, coding: str | None) -> Validators:
        """Return the validators of the file in a coding, or of the file itself (None)."""
        return self.gzip_validators if coding is not None and self.compressible else self.validators


class Representation:
    """A file's content, either ``data`` in memory or an open ``file``, and its metadata."""

    __slots__ = ("_modified", "data", "file", "metadata")

    def __init__(self, metadata: FileMetadata, data: bytes | None, file: File | None) -> None:
        self.metadata = metadata
        self.data = data
        self.file = file
        self._modified = False  # the last check saw a new modification time and the same size

    def close(self) -> None:
        """Close the file without sending it."""
        if self.file is not None:
            self.file.close()

    def check(self) -> None:
        """Raise OSError if the open file has changed, so that its rest does not belong to what was sent.

        A file that grows is sent up to the length that was announced. A write sets the modification time
        before the size: a new time with the same size counts only if two checks in a row see it.
        """
        assert self.file is not None, "no open file"
        size, status = self.metadata.size, os.fstat(self.file.fileno())
        if status.st_size < size:
            raise OSError(f"the file shrank from {size} to {status.st_size} bytes")
        was_modified = self._modified
        self._modified = status.st_size == size and status.st_mtime_ns != self.metadata.fingerprint[MTIME]
        if self._modified and was_modified:
            raise OSError("the file was modified")

    def full_response(self) -> Response:
        """Return the response with the complete file, uncompressed."""
        metadata = self.metadata
        return Response(200, self.range_body(range(metadata.size)), metadata.headers)

    def compressed_response(self, on_close: Callable[[], None]) -> Response:
        """Return the response with the complete file, to be compressed on the fly.

        ``on_close`` is called when an open file is closed; content in memory is compressed at once.
        """
        content: Content | None = self.data
        if content is None:
            content = FileChunks(self, [(b"", range(self.metadata.size))], on_close=on_close)
        return Response(200, content, self.metadata.gzip_headers, compress_min_size=0)

    def range_body(self, span: range) -> bytes | FileSlice:
        """Return a range of the content."""
        if self.data is not None:
            return self.data[span.start : span.stop]
        assert self.file is not None, "neither content nor an open file"
        return FileSlice(self.file, span.start, len(span), self.check)

    def chunks(self, span: range) -> Iterator[bytes]:
        """Yield a range of the content in chunks; raise OSError if the file has changed."""
        if self.data is not None:
            yield self.data[span.start : span.stop]
            return
        assert self.file is not None, "neither content nor an open file"
        for start in range(span.start, span.stop, CHUNK_SIZE):
            size = min(CHUNK_SIZE, span.stop - start)
            data = os.pread(self.file.fileno(), size, start)
            self.check()
            if len(data) < size:
                raise OSError(f"the file ended at byte {start + len(data)}")
            yield data


class FileChunks:
    """A body made of ranges of a representation, each after a prefix; read while it is sent."""

    __slots__ = ("_end", "_on_close", "_ranges", "_representation")

    def __init__(
        self,
        representation: Representation,
        ranges: list[tuple[bytes, range]],
        end: bytes = b"",
        on_close: Callable[[], None] = do_nothing,
    ) -> None:
        self._representation = representation
        self._ranges = ranges
        self._end = end
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        for before, span in self._ranges:
            if before:
                yield before
            yield from self._representation.chunks(span)
        if self._end:
            yield self._end

    def close(self) -> None:
        """Close the file; it may be called again, as after an error."""
        on_close, self._on_close = self._on_close, do_nothing
        try:
            self._representation.close()
        finally:
            on_close()


def etags_of_files(tags: str) -> str:
    """Replace each ETag of a compressed file by that of the file itself, which has the same state.

    >>> etags_of_files('"a-gzip", W/"b-gzip", "c"')
    '"a", W/"b", "c"'
    """
    return tags.replace(_GZIP_END, '"')


def precondition_failed(current: Validators | None) -> str:
    """Return the reason of 412 for a file with these validators (None: no file)."""
    if current is None:
        return "precondition failed: the file does not exist"
    return f"precondition failed: the file exists, with ETag {current.etag}"


def validator_headers(validators: Validators) -> HeaderPairs:
    """Return the headers that depend on the validators, and Accept-Ranges."""
    headers = (("Accept-Ranges", "bytes"), ("ETag", validators.etag))
    if validators.modified is None:
        return headers
    return (*headers, ("Last-Modified", format_date(validators.modified)))

"""A file's metadata (fingerprint, validators, header fields) and its representation in responses.

1. A file is identified by its fingerprint: device, inode, size, and the times of its last change.
2. Its validators are made from the fingerprint: a strong ETag, and Last-Modified (RFC 9110, 8.8).
   Content that is compressed on the way has an ETag of its own.
3. Its content is in memory, or in an open file. While an open file is sent its fingerprint is checked
   again before each chunk: if the file has changed, the response is aborted, so that no wrong octets are
   sent under a right length.

It knows no path and no request. The owner of an open representation closes it, or sends it, which does.
"""

import hashlib
import io
import os
from collections.abc import Iterator

from reactor.http11.conditional import Validators
from reactor.http11.dates import format_date
from reactor.http11.message import Fields, FileSlice, Response

from .media_types import FileType

# Octets read at once of a file that does not leave by sendfile: mostly to be compressed, which takes zlib
# half a millisecond, and as long again for each other client that has the same wish in this turn.
CHUNK_SIZE = 16 * 1024

Fingerprint = tuple[int, int, int, int, int]


def fingerprint_of(status: os.stat_result) -> Fingerprint:
    """Return what identifies a file and its content: it changes whenever either does."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def validators_of(status: os.stat_result, now: float) -> Validators:
    """Return the validators of a file; ``now`` is in seconds since the epoch.

    A time of change that is yet to come is not told (RFC 9110, 8.8.2.1).
    """
    digest = hashlib.blake2b(repr(fingerprint_of(status)).encode(), digest_size=12).hexdigest()
    modified = status.st_mtime_ns // 1_000_000_000
    return Validators(f'"{digest}"', modified if modified <= now else None)


class FileMetadata:
    """The metadata of a file at one moment; never changes, may serve many requests.

    ``fields`` go with it as it is, ``gzip_fields`` where it is compressed on the way, which only what
    is ``compressible`` will be. ``coding`` is the content coding that the file itself has, as
    the variant ``NAME.gz`` of ``NAME`` has, or None.
    """

    __slots__ = (
        "coding",
        "compressible",
        "fields",
        "fingerprint",
        "gzip_fields",
        "gzip_validators",
        "links",
        "size",
        "validators",
    )

    def __init__(self, status: os.stat_result, file_type: FileType, now: float) -> None:
        self.fingerprint = fingerprint_of(status)
        self.size = status.st_size
        self.links = status.st_nlink
        self.coding = file_type.coding
        self.compressible = file_type.compressible
        self.validators = self.gzip_validators = validators_of(status, now)
        self.fields = self.gzip_fields = file_type.fields + validator_fields(self.validators)
        if self.compressible:
            # RFC 9110, 8.8.3.3: each coding has a validator of its own.
            etag = self.validators.etag[:-1] + '-gzip"'
            self.gzip_validators = Validators(etag, self.validators.modified)
            self.gzip_fields = file_type.fields + validator_fields(self.gzip_validators)

    def validators_as(self, coding: str | None) -> Validators:
        """Return the validators of the content as it is, or in a coding that the client prefers."""
        return self.gzip_validators if coding is not None and self.compressible else self.validators


class Representation:
    """A file's content, in memory as ``octets``, or else in an open ``file``; and its metadata."""

    __slots__ = ("file", "metadata", "octets")

    def __init__(self, metadata: FileMetadata, octets: bytes | None, file: io.FileIO | None) -> None:
        self.metadata = metadata
        self.octets = octets
        self.file = file

    def close(self) -> None:
        """Close the file: its content is not sent."""
        if self.file is not None:
            self.file.close()

    def is_unchanged(self) -> bool:
        """Return whether the content of the open file is what it was when it was opened.

        A file that is replaced or removed meanwhile has one link less, and the same content: that alone
        may change its fingerprint.
        """
        assert self.file is not None, "what is in memory does not change"
        metadata, status = self.metadata, os.fstat(self.file.fileno())
        if status.st_nlink != metadata.links:
            return (status.st_size, status.st_mtime_ns) == metadata.fingerprint[2:4]
        return fingerprint_of(status) == metadata.fingerprint

    def full_response(self, coding: str | None) -> Response:
        """Return the response with all of the content, in a coding that the client prefers, or as it is."""
        metadata = self.metadata
        if not metadata.compressible:
            return Response(200, self.range_body(range(metadata.size)), metadata.fields)
        if coding is None:
            return Response(200, self.range_body(range(metadata.size)), metadata.fields, compress_min_size=0)
        content = FileChunks(self, [(b"", range(metadata.size))]) if self.octets is None else self.octets
        return Response(200, content, metadata.gzip_fields, compress_min_size=0)

    def range_body(self, span: range) -> bytes | FileSlice:
        """Return a range of the content."""
        if self.octets is not None:
            return self.octets[span.start : span.stop]
        assert self.file is not None, "content is in memory or in a file"
        return FileSlice(self.file, span.start, len(span), self.is_unchanged)

    def chunks(self, span: range) -> Iterator[bytes]:
        """Yield a range of the content chunk by chunk; raise OSError when the file has changed."""
        if self.octets is not None:
            yield self.octets[span.start : span.stop]
            return
        assert self.file is not None, "content is in memory or in a file"
        for start in range(span.start, span.stop, CHUNK_SIZE):
            size = min(CHUNK_SIZE, span.stop - start)
            octets = os.pread(self.file.fileno(), size, start)
            if len(octets) < size or not self.is_unchanged():
                raise OSError("the file changed while it was being sent")
            yield octets


class FileChunks:
    """Ranges of a representation, with octets before each: content that is read as it is sent."""

    __slots__ = ("_end", "_ranges", "_representation")

    def __init__(
        self, representation: Representation, ranges: list[tuple[bytes, range]], end: bytes = b""
    ) -> None:
        self._representation = representation
        self._ranges = ranges
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        for before, span in self._ranges:
            if before:
                yield before
            yield from self._representation.chunks(span)
        if self._end:
            yield self._end

    def close(self) -> None:
        """Close the file."""
        self._representation.close()


def validator_fields(validators: Validators) -> Fields:
    """Return the fields that every representation of a file has."""
    fields = (("Accept-Ranges", "bytes"), ("ETag", validators.etag))
    if validators.modified is None:
        return fields
    return (*fields, ("Last-Modified", format_date(validators.modified)))

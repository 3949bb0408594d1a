"""A representation: what a file holds at one moment, and what is said about it in fields.

1. A file is known by its stamp: where it is, how long it is, and when it was last changed.
2. Its validators are made of the stamp: a strong ETag, and Last-Modified (RFC 9110, 8.8). What is
   compressed on the way has an ETag of its own.
3. Its content is in memory, or an open file. While an open file is sent its stamp is looked at again
   before each piece: one that has changed breaks off, and no wrong octets stand under a right length.

It knows no path and no request. Whoever takes an open one closes it, or sends it, which does.
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
AT_ONCE = 16 * 1024

Stamp = tuple[int, int, int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes whenever a file, or its content, is another one."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def validators_of(status: os.stat_result, now: float) -> Validators:
    """Return the validators of a file; ``now`` is in seconds since the epoch.

    A time of change that is yet to come is not told (RFC 9110, 8.8.2.1).
    """
    digest = hashlib.blake2b(repr(stamp_of(status)).encode(), digest_size=12).hexdigest()
    modified = status.st_mtime_ns // 1_000_000_000
    return Validators(f'"{digest}"', modified if modified <= now else None)


class Description:
    """What is said about a file at one moment; never changes, may serve many requests.

    ``fields`` go with it as it is, ``gzip_fields`` where it is compressed on the way, which only what
    is ``compressible`` will be. ``coding`` is the content coding that the file itself has, as
    ``NAME.gz`` has beside ``NAME``, or None.
    """

    __slots__ = (
        "coding",
        "compressible",
        "fields",
        "gzip_fields",
        "gzip_validators",
        "links",
        "size",
        "stamp",
        "validators",
    )

    def __init__(self, status: os.stat_result, kind: FileType, now: float) -> None:
        self.stamp = stamp_of(status)
        self.size = status.st_size
        self.links = status.st_nlink
        self.coding = kind.coding
        self.compressible = kind.compressible
        self.validators = validators_of(status, now)
        # RFC 9110, 8.8.3.3: each coding has a validator of its own.
        etag = self.validators.etag[:-1] + '-gzip"'
        self.gzip_validators = self.validators._replace(etag=etag)
        self.fields = kind.fields + fields_of(self.validators)
        self.gzip_fields = kind.fields + fields_of(self.gzip_validators)

    def validators_as(self, coding: str | None) -> Validators:
        """Return the validators of the content as it is, or in a coding that the client prefers."""
        return self.gzip_validators if coding is not None and self.compressible else self.validators


class Representation:
    """A file's content, in memory as ``octets``, or else in an open ``file``; and what is said about it."""

    __slots__ = ("about", "file", "octets")

    def __init__(self, about: Description, octets: bytes | None, file: io.FileIO | None) -> None:
        self.about = about
        self.octets = octets
        self.file = file

    def close(self) -> None:
        """Let go of the file: its content is not sent."""
        if self.file is not None:
            self.file.close()

    @property
    def intact(self) -> bool:
        """True while the content of the open file is what it was when it was opened.

        A file that is replaced or removed meanwhile has one name less, and the same content: that alone
        may change its stamp.
        """
        assert self.file is not None, "what is in memory does not change"
        about, status = self.about, os.fstat(self.file.fileno())
        if status.st_nlink != about.links:
            return (status.st_size, status.st_mtime_ns) == about.stamp[2:4]
        return stamp_of(status) == about.stamp

    def whole(self, coding: str | None) -> Response:
        """Return the response with all of the content, in a coding that the client prefers, or as it is."""
        about = self.about
        if not about.compressible:
            return Response(200, self.part(range(about.size)), about.fields)
        if coding is None:
            return Response(200, self.part(range(about.size)), about.fields, compress_min_size=0)
        content = Pieces(self, [(b"", range(about.size))]) if self.octets is None else self.octets
        return Response(200, content, about.gzip_fields, compress_min_size=0)

    def part(self, span: range) -> bytes | FileSlice:
        """Return a part of the content."""
        if self.octets is not None:
            return self.octets[span.start : span.stop]
        assert self.file is not None, "content is in memory or in a file"
        return FileSlice(self.file, span.start, len(span), lambda: self.intact)

    def pieces(self, span: range) -> Iterator[bytes]:
        """Yield a part of the content piece by piece; raise OSError when the file is not what it was."""
        if self.octets is not None:
            yield self.octets[span.start : span.stop]
            return
        assert self.file is not None, "content is in memory or in a file"
        for start in range(span.start, span.stop, AT_ONCE):
            wanted = min(AT_ONCE, span.stop - start)
            octets = os.pread(self.file.fileno(), wanted, start)
            if len(octets) < wanted or not self.intact:
                raise OSError("the file was changed while it was sent")
            yield octets


class Pieces:
    """Parts of a representation, with octets before each: content that is read as it is sent."""

    __slots__ = ("_end", "_parts", "_representation")

    def __init__(
        self, representation: Representation, parts: list[tuple[bytes, range]], end: bytes = b""
    ) -> None:
        self._representation = representation
        self._parts = parts
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        for before, span in self._parts:
            if before:
                yield before
            yield from self._representation.pieces(span)
        if self._end:
            yield self._end

    def close(self) -> None:
        """Let go of the file."""
        self._representation.close()


def fields_of(validators: Validators) -> Fields:
    """Return the fields that every representation of a file has."""
    fields = (("Accept-Ranges", "bytes"), ("ETag", validators.etag))
    if validators.modified is None:
        return fields
    return (*fields, ("Last-Modified", format_date(validators.modified)))

"""Kinds of files: the media type by a name, and whether compressing is worth its while.

Uploaded files are not to run in anybody's browser: as long as nobody asks for more, everything is
``application/octet-stream``, and browsers are told not to guess. ``guess`` serves pages and pictures
as what they are, which makes a web server for a static site. Compressed before is not compressed
again: that is told by the end of the name, or by the first octets of the content.
"""

import mimetypes
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.message import Fields

OCTET_STREAM = "application/octet-stream"
# What the end of a name says about the coding of a file that stands beside another (RFC 9110, 8.4.1).
CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}

_COMPRESSED = frozenset(
    {
        *("7z", "apk", "br", "bz2", "cab", "crx", "deb", "gz", "jar", "lz", "lz4", "lzma", "rar", "rpm"),
        *("tgz", "txz", "whl", "xpi", "xz", "zip", "zst", "zstd"),
        *("aac", "flac", "flv", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg", "ogv"),
        *("opus", "webm"),
        *("avif", "gif", "heic", "heif", "jpeg", "jpg", "jxl", "png", "webp", "woff", "woff2"),
        *("docx", "epub", "odp", "ods", "odt", "pdf", "pptx", "xlsx"),
    }
)
# The first octets of gzip, zip, PNG, JPEG, GIF, xz, bzip2, zstd, 7z, RIFF, Ogg, FLAC, MP3, Matroska.
_MAGIC = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\xfd7zXZ",
    b"BZh",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf",
    b"RIFF",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\x1a\x45\xdf\xa3",
)
LONGEST_MAGIC = 8

# The tables that come with Python, and no file of the machine: a server says the same everywhere.
_types = mimetypes.MimeTypes()
_types.add_type("text/javascript", ".js")
_types.add_type("text/javascript", ".mjs")
_types.add_type("text/markdown", ".md")
_types.add_type("image/webp", ".webp")
_types.add_type("image/avif", ".avif")
_types.add_type("font/woff", ".woff")
_types.add_type("font/woff2", ".woff2")
_types.add_type("application/wasm", ".wasm")
_types.add_type("application/manifest+json", ".webmanifest")
_TEXTS = frozenset({"application/json", "application/xml", "application/manifest+json", "image/svg+xml"})

MediaType = Callable[[str], str]


class FileType(NamedTuple):
    """What is said about a file by its name: its fields, its own coding, and whether to compress it."""

    fields: Fields
    coding: str | None
    compressible: bool


def octets(name: str) -> str:
    """Return the media type that is safe for whatever anybody has uploaded."""
    return OCTET_STREAM


def guess(name: str) -> str:
    """Guess a media type by the end of a name.

    >>> guess("index.html"), guess("logo.png"), guess("archive.tar.gz"), guess("README")
    ('text/html; charset=utf-8', 'image/png', 'application/octet-stream', 'application/octet-stream')
    """
    kind, coding = _types.guess_type(f"/{name}")
    if kind is None or coding is not None:  # the type of what is inside is not the type of the file
        return OCTET_STREAM
    if kind.startswith("text/") or kind in _TEXTS:
        return f"{kind}; charset=utf-8"
    return kind


TYPES: dict[str, MediaType] = {"octets": octets, "guess": guess}


def kind_of(name: str, media_type: MediaType, beginning: bytes) -> FileType:
    """Return the kind of a file by its name and its first octets."""
    compressed = name.rpartition(".")[2].lower() in _COMPRESSED or beginning.startswith(_MAGIC)
    return FileType(_fields(media_type(name)), None, not compressed)


def kind_in_coding(name: str, media_type: MediaType, coding: str) -> FileType:
    """Return the kind of a file that holds another one, ``name``, in a coding."""
    fields = (*_fields(media_type(name)), ("Content-Encoding", coding), ("Vary", "Accept-Encoding"))
    return FileType(fields, coding, False)


def _fields(media_type: str) -> Fields:
    return ("Content-Type", media_type), ("X-Content-Type-Options", "nosniff")

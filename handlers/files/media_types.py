"""Media types of files, and whether compressing them is worthwhile.

Uploaded files must not run in other people's browsers, so by default (``binary``) every file is sent as
``application/octet-stream`` with ``nosniff``. ``guess`` selects the media type by file extension, for static
sites. Files that are already compressed, by their extension or first bytes, are not compressed again.
"""

import mimetypes
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.message import HeaderPairs

OCTET_STREAM = "application/octet-stream"
# The suffix of a precompressed variant, by its content coding (RFC 9110, 8.4.1).
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
# The first bytes of gzip, zip, PNG, JPEG, GIF, xz, bzip2, zstd, 7z, RIFF, Ogg, FLAC, MP3, Matroska.
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
MAX_MAGIC_LENGTH = 8

# Only the tables built into Python, not those of the system, so that types are the same on every machine.
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
    """The headers of a file, its content coding or None, and whether to compress it."""

    headers: HeaderPairs
    coding: str | None
    compressible: bool


def binary(name: str) -> str:
    """Return application/octet-stream, which is safe for any upload."""
    return OCTET_STREAM


def guess(name: str) -> str:
    """Guess the media type from the file extension.

    >>> guess("index.html"), guess("logo.png"), guess("archive.tar.gz"), guess("README")
    ('text/html; charset=utf-8', 'image/png', 'application/octet-stream', 'application/octet-stream')
    """
    media_type, coding = _types.guess_type(f"/{name}")
    if media_type is None or coding is not None:  # media_type is that of the uncompressed content
        return OCTET_STREAM
    if media_type.startswith("text/") or media_type in _TEXTS:
        return f"{media_type}; charset=utf-8"
    return media_type


TYPES: dict[str, MediaType] = {"binary": binary, "guess": guess}


def file_type(name: str, media_type: MediaType, beginning: bytes) -> FileType:
    """Return the type of a file by its name and its first bytes."""
    compressed = name.rpartition(".")[2].lower() in _COMPRESSED or beginning.startswith(_MAGIC)
    return FileType(_headers(media_type(name)), None, not compressed)


def file_type_of_variant(name: str, media_type: MediaType, coding: str) -> FileType:
    """Return the type of a precompressed variant of the file ``name``."""
    headers = (*_headers(media_type(name)), ("Content-Encoding", coding), ("Vary", "Accept-Encoding"))
    return FileType(headers, coding, False)


def _headers(media_type: str) -> HeaderPairs:
    return ("Content-Type", media_type), ("X-Content-Type-Options", "nosniff")

"""Media types of files, and whether compressing them is worthwhile.

Uploaded files must not run in other people's browsers, so by default (``binary``) every file is sent as
``application/octet-stream`` with ``nosniff``. ``guess`` selects the media type by file extension, for static
sites. Only text is compressed, also by file extension: for most other files compressing gains little, and a
compressed response has no length and cannot be resumed.
"""

import mimetypes
import posixpath
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.message import HeaderPairs

OCTET_STREAM = "application/octet-stream"
VARY: HeaderPairs = (("Vary", "Accept-Encoding"),)
# The suffix of a precompressed variant, by its content coding (RFC 9110, 8.4.1).
CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}

# The extensions of text. Not "ts", which is TypeScript or video (MPEG transport stream).
_TEXT_EXTENSIONS = frozenset(
    {
        *("adoc", "asc", "diff", "etx", "log", "markdown", "md", "org", "patch", "rst", "rtf", "rtx", "srt"),
        *("tex", "txt", "vtt"),
        *("atom", "css", "htm", "html", "js", "jsx", "less", "map", "mjs", "rdf", "rss", "scss", "sgm"),
        *("sgml", "svelte", "svg", "tsx", "vue", "webmanifest", "wsdl", "xhtml", "xml", "xpdl", "xsd"),
        *("xsl", "xslt"),
        *("cfg", "conf", "csv", "geojson", "graphql", "ics", "ini", "ipynb", "json", "json5", "jsonl"),
        *("n3", "ndjson", "properties", "proto", "sql", "toml", "tsv", "vcf", "yaml", "yml"),
        *("asm", "bash", "bat", "c", "cc", "cmake", "cpp", "cs", "cxx", "dart", "ex", "exs", "fish", "go"),
        *("h", "hpp", "hs", "java", "jl", "ksh", "kt", "lua", "m", "php", "pl", "ps1", "py", "pyi", "r"),
        *("rb", "rs", "s", "scala", "sh", "swift", "zig", "zsh"),
    }
)

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
    """The headers of a file, its content coding or None, and whether to compress it.

    ``varies`` is true if the response depends on Accept-Encoding; ``headers`` do not include Vary.
    """

    headers: HeaderPairs
    coding: str | None
    compressible: bool
    varies: bool


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


def file_type(name: str, media_type: MediaType, has_variants: bool = False) -> FileType:
    """Return the type of a file by its name; ``has_variants`` is true if variants of it may be sent."""
    compressible = posixpath.splitext(name)[1].lower().removeprefix(".") in _TEXT_EXTENSIONS
    return FileType(_headers(media_type(name)), None, compressible, has_variants or compressible)


def file_type_of_variant(name: str, media_type: MediaType, coding: str) -> FileType:
    """Return the type of a precompressed variant of the file ``name``."""
    headers = (*_headers(media_type(name)), ("Content-Encoding", coding))
    return FileType(headers, coding, compressible=False, varies=True)


def _headers(media_type: str) -> HeaderPairs:
    return ("Content-Type", media_type), ("X-Content-Type-Options", "nosniff")

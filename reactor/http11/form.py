"""Forms in memory: the fields of a query, and the fields and files of a request body.

Content-Type                         Content
application/x-www-form-urlencoded    NAME=VALUE&...; "+" is a space, the rest is percent-encoded UTF-8
multipart/form-data                  a part for each field or file (``multipart.py``)
"""

import re
from binascii import a2b_hex
from collections.abc import Iterable
from typing import NamedTuple

from reactor.http11.body import read_text
from reactor.http11.content_type import media_type, unsupported_type
from reactor.http11.errors import HTTPError, quote
from reactor.http11.multidict import MultiDict, MultiMapping
from reactor.http11.multipart import MULTIPART, FormReader, Part, read_boundary

URLENCODED = "application/x-www-form-urlencoded"
MAX_FIELDS = 1000  # in a query, or in a form

# A percent-encoded byte. The standard library's unquote() takes 0.3 s for a MiB of "%".
_replace_encoded = re.compile(rb"%([0-9A-Fa-f]{2})").sub


class FormFile(NamedTuple):
    """A file of a form: its name and media type, both as the client sent them, and its content.

    ``filename`` may be any text, such as "../x": never use it as a path. ``content_type`` is "text/plain" if
    the client sent none (RFC 7578, 4.4).
    """

    filename: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"<FormFile {quote(self.filename)} {self.content_type}, {len(self.content)} bytes>"


class Files(MultiMapping[FormFile]):
    """The files of a form, by field name."""

    __slots__ = ()

    kind = "file"


class Form(MultiDict):
    """The text fields of a form, by name; ``files`` maps names to files."""

    __slots__ = ("files",)

    def __init__(
        self, fields: Iterable[tuple[str, str]] = (), files: Iterable[tuple[str, FormFile]] = ()
    ) -> None:
        super().__init__(fields)
        self.files = Files(files)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Form) and self.files != other.files:
            return False
        return super().__eq__(other)


def read_query(query: str) -> MultiDict:
    """Return the fields of a query; raise HTTPError(400)."""
    return MultiDict(_read_fields(query, "query", 400)) if query else MultiDict()


def read_form(content: bytes, content_type: str | None) -> Form:
    """Return the fields and files of a form; raise HTTPError."""
    media = media_type(content_type)
    if media == URLENCODED:
        text = _from_utf8(content, "form")
        return Form(_read_fields(text, "form", 413))
    if content_type is None or media != MULTIPART:
        raise unsupported_type(content_type, f"{URLENCODED} or {MULTIPART}")
    return _read_multipart(content, read_boundary(content_type))


def _read_fields(text: str, where: str, too_many: int) -> list[tuple[str, str]]:
    """Return the fields of a query or a form; the value of a field without "=" is empty."""
    if text.count("&") >= MAX_FIELDS:
        raise HTTPError(too_many, f"too many fields in the {where} (limit: {MAX_FIELDS})")
    pairs = (field.partition("=") for field in text.split("&") if field)
    try:
        return [(_decode(name), _decode(value)) for name, _, value in pairs]
    except UnicodeDecodeError:
        raise _not_utf8(where) from None


def _decode(text: str) -> str:
    return _replace_encoded(_decode_byte, text.replace("+", " ").encode()).decode()


def _decode_byte(match: re.Match[bytes]) -> bytes:
    return a2b_hex(match[1])


def _from_utf8(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(where) from None


def _not_utf8(where: str) -> HTTPError:
    return HTTPError(400, f"the {where} is not valid UTF-8")


def _read_multipart(content: bytes, boundary: bytes) -> Form:
    reader = FormReader(boundary)
    parts: list[tuple[Part, bytes]] = []
    for each in reader.feed(content):
        if isinstance(each, Part):
            parts.append((each, b""))
        else:  # the content is complete, since all of the form was fed at once
            parts[-1] = parts[-1][0], each
    reader.end()
    fields, files = [], []
    for part, data in parts:
        if part.filename is None:
            fields.append((part.name, read_text(data, part.content_type, f"field {quote(part.name)}")))
        elif part.filename or data:  # browsers send an empty file without a name if no file was chosen
            files.append((part.name, FormFile(part.filename, part.content_type or "text/plain", data)))
    return Form(fields, files)

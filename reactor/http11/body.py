"""Bodies of requests: text in the charset that Content-Type names, and JSON.

The functions take a complete body and the value of Content-Type, and raise HTTPError: 415 for another type,
400 for malformed content.
"""

import json
import re
import sys
from encodings.aliases import aliases
from math import isinf

from reactor.http11.content_type import media_type, parameters, unsupported_type
from reactor.http11.errors import HTTPError, quote

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]

# application/json, and types such as application/problem+json                     RFC 6839, 3.1
_is_json = re.compile(r"application/json|[^\s,/]+/[^\s,/]+\+json").fullmatch

# An escape in JSON of a surrogate, one half of a character (RFC 8259, 7).
_find_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search

# The charsets that can be used, by their names in Python. Unknown names are not looked up: Python caches each
# of them without a limit. Some of its codecs do not encode text, and UTF-7 allows unpaired surrogates.
_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
_CHARSETS = frozenset(aliases.values()) - _NO_CHARSETS - {"utf_7", "mbcs"}  # mbcs is that of Windows


def read_text(content: bytes, content_type: str, what: str = "request body") -> str:
    """Decode text; in UTF-8 unless Content-Type has a charset. Raise HTTPError."""
    charset = parameters(content_type).get("charset", "utf-8")
    name = charset.lower().replace("-", "_")
    codec = aliases.get(name, name)
    if codec not in _CHARSETS:
        raise HTTPError(415, f"unsupported charset: {quote(charset)} (expected utf-8)")
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise HTTPError(400, f"{what} is not valid {charset}: byte {error.start}") from None


def read_json(content: bytes, content_type: str | None) -> JSONValue:
    """Parse JSON (RFC 8259); raise HTTPError.

    The media type is required, since pages of other sites can send any content without it, or as text/plain.
    """
    if _is_json(media_type(content_type)) is None:
        raise unsupported_type(content_type, "application/json")
    if not content:
        raise HTTPError(400, "empty request body (expected JSON)")
    try:
        # Always UTF-8 (RFC 8259, 8.1); a byte order mark is ignored.
        text = content.decode("utf-8-sig")
        value: JSONValue = json.loads(text, parse_float=_read_float, parse_constant=_refuse_constant)
        if _find_surrogate(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise _invalid(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _invalid(str(error)) from None
    except UnicodeEncodeError:  # it could not be written, neither as text nor as JSON
        raise _invalid("a string has an unpaired surrogate, such as \\ud800") from None
    except ValueError:
        raise _invalid(f"an integer has more than {sys.get_int_max_str_digits()} digits") from None
    except RecursionError:
        raise _invalid("nested too deeply") from None
    return value


def _read_float(text: str) -> float:
    value = float(text)
    if isinf(value):  # it could not be written as JSON
        raise _invalid(f"a number is too large: {quote(text)}")
    return value


def _refuse_constant(text: str) -> float:
    raise _invalid(f"{text} is not a number of JSON")


def _invalid(reason: str) -> HTTPError:
    return HTTPError(400, f"invalid JSON: {reason}")

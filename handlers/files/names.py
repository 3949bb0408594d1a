r"""Names of new files: characters that are refused, and the names to try if a name exists.

    Name in a form        Names to try
    photo.jpg             photo.jpg, photo (2).jpg, photo (3).jpg, ...
    C:\photos\photo.jpg   the same: some clients send the path
    archive.tar.gz        archive.tar.gz, archive.tar (2).gz, ...
    README                README, README (2), ...
    .profile              .profile, .profile (2), ...

1. Control characters, and characters that change the direction of the text after them, are refused: a
   terminal would interpret them, and ``annexe\u202Etxt.exe`` is displayed as ``annexeexe.txt``.
2. An extension has at most 15 characters and no space; ``Dr. Smith`` has none.
3. A name is shortened before its number if it would be too long.
"""

import re

from reactor.http11.errors import HTTPError, quote

from .paths import MAX_NAME_LENGTH

# Control characters (general category Cc), and the explicit directional formatting characters except marks
# (Unicode Bidirectional Algorithm: UAX 9, 2).
find_refused_character = re.compile(r"[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]").search
_find_extension = re.compile(r"\.[^. ]{1,15}\Z").search


def refused_character(match: re.Match[str]) -> HTTPError:
    """Return the error for a name in which ``find_refused_character`` found one."""
    name = match.string.rpartition("/")[2]
    return HTTPError(400, f"invalid file name: {quote(name)} (remove the character U+{ord(match[0]):04X})")


def last_component(filename: str) -> str:
    r"""Return the name of a file without the path that some clients send.

    >>> last_component(r"C:\photos\a.jpg"), last_component("photos/a.jpg"), last_component("photos/")
    ('a.jpg', 'a.jpg', '')
    """
    return filename.replace("\\", "/").rpartition("/")[2]


def numbered(name: str, number: int) -> str:
    """Return a name with a number before its extension; the name itself for number 1.

    >>> numbered("a.txt", 1), numbered("a.txt", 2), numbered(".a", 2), numbered("a.b c", 2)
    ('a.txt', 'a (2).txt', '.a (2)', 'a.b c (2)')
    """
    if number == 1:
        return name
    extension = _find_extension(name, 1)  # not at the first character: .profile has none
    end = extension.start() if extension else len(name)
    suffix = f" ({number}){name[end:]}"
    stem = name[:end].encode()[: MAX_NAME_LENGTH - len(suffix.encode())]
    return stem.decode(errors="ignore") + suffix

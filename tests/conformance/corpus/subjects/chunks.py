"""Refused: the chunked coding. Sizes, extensions, ends of data, and trailers that try to smuggle."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.written import HIDDEN, Refused, chunked, refused

END = b"0\r\n\r\n"


def sized(size: bytes) -> bytes:
    """Write an upload of five octets whose first chunk has this size line."""
    return chunked(size + b"\r\nhello\r\n" + END)


def extended(extension: bytes) -> bytes:
    """Write an upload of five octets whose first chunk has this extension."""
    return sized(b"5;" + extension)


def trailed(*lines: bytes) -> bytes:
    """Write an upload of five octets with these trailer lines."""
    return chunked(b"\r\n".join([b"5\r\nhello\r\n0", *lines, b"", b""]))


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from refused("RFC 9112, 7.1", 400, *_sizes(), *_data())
    yield from refused("RFC 9112, 7.1.1", 400, *_extensions())
    yield from refused("RFC 9112, 7.1.2", 400, *_trailers())
    yield from refused(
        "RFC 9110, 15.5.14",
        413,
        ("chunk-size-largest", "Sixteen digits are read, and are too much.", sized(b"F" * 16)),
        ("chunk-size-over-limit", "1 GiB and one octet.", chunked(b"40000001\r\n")),
        (
            "chunk-sizes-over-limit",
            "The limit is on their sum.",
            chunked(b"1\r\na\r\n40000000\r\n"),
        ),
        ("chunk-size-sign-bit", "63 bits are no negative number.", chunked(b"8000000000000000\r\n")),
    )


def _sizes() -> Iterator[Refused]:
    for name, why, size in (
        ("plus", "A size has no sign.", b"+5"),
        ("minus", "A size has no sign.", b"-5"),
        ("minus-zero", "Who reads a number here sees the end.", b"-0"),
        ("0x", "int() of Python takes it; the grammar does not.", b"0x5"),
        ("0x-capital", "int() of Python takes it; the grammar does not.", b"0X5"),
        ("underscore", "int() of Python takes it; the grammar does not.", b"0_5"),
        ("h", "A size has no suffix.", b"5h"),
        ("letter", "A size is hexadecimal.", b"g"),
        ("word", "A size is hexadecimal.", b"five"),
        ("fraction", "A size is whole.", b"5.0"),
        ("exponent", "e is a digit, a dot is none.", b"5.e1"),
        ("quotes", "A size is no string.", b'"5"'),
        ("comma", "A size is one number.", b"5,5"),
        ("colon", "A size is no field.", b"5:"),
        ("equals", "An extension begins with a semicolon.", b"5=a"),
        ("arabic-digit", "A digit is one of ASCII.", "\u0665".encode()),
        ("superscript", "A digit is one of ASCII.", b"\xb2"),
        ("full-width", "A digit is one of ASCII.", "\uff15".encode()),
        ("no-break-space", "U+00A0 is no white space here.", b"5\xa0"),
        ("17-digits", "More than 16 digits are refused, zeros or not.", b"0" * 16 + b"5"),
        ("wraps-at-64-bits", "Who keeps 64 bits sees 5.", b"10000000000000005"),
        ("wraps-at-128-bits", "Who keeps 128 bits sees 5.", b"1" + b"0" * 31 + b"5"),
        ("empty", "A size has one digit at least.", b""),
        ("extension-only", "A size has one digit at least.", b";a=b"),
        ("space-before", "Nothing stands before a size.", b" 5"),
        ("tab-before", "Nothing stands before a size.", b"\t5"),
        ("space-behind", "Bad white space needs a semicolon behind it.", b"5 "),
        ("tab-behind", "Bad white space needs a semicolon behind it.", b"5\t"),
        ("many-spaces-behind", "Padding was seen of old; it is in no grammar.", b"5        "),
        ("space-inside", "A size is one number.", b"0 5"),
        ("word-behind", "An extension begins with a semicolon.", b"5 a=b"),
    ):
        yield f"chunk-size-{name}", why, sized(size)


def _data() -> Iterator[Refused]:
    yield "chunk-data-too-long", "CRLF follows the data.", chunked(b"5\r\nhellox\r\n" + END)
    yield "chunk-data-too-short", "CRLF is no data and CRLF.", chunked(b"5\r\nhell\r\n" + END)
    yield "chunk-data-far-too-long", "CRLF follows the data.", chunked(b"1\r\n" + HIDDEN + b"\r\n" + END)
    yield "chunk-data-without-crlf", "CRLF follows the data.", chunked(b"5\r\nhello" + END)
    yield "chunk-data-and-empty-line", "One CRLF follows the data.", chunked(b"5\r\nhello\r\n\r\n" + END)
    yield "chunk-data-and-space", "CRLF follows the data.", chunked(b"5\r\nhello \r\n" + END)
    yield "chunk-data-two-other-octets", "Who skips two octets sees an end.", chunked(b"5\r\nhelloXX" + END)
    yield "chunk-data-and-extension", "An extension follows a size.", chunked(b"5\r\nhello;a\r\n" + END)
    yield "chunk-first-line-empty", "A size comes first.", chunked(b"\r\n5\r\nhello\r\n" + END)
    yield "chunk-second-size-bad", "Every chunk is checked.", chunked(b"5\r\nhello\r\n+0\r\n\r\n")
    yield "chunk-last-with-data", "The last chunk has none.", chunked(b"0\r\nhello\r\n" + END)
    yield "chunk-last-without-empty-line", "An empty line ends the trailers.", chunked(b"0\r\n" + HIDDEN)


def _extensions() -> Iterator[Refused]:
    for name, why, extension in (
        ("without-name", "An extension has a name.", b""),
        ("space-only", "An extension has a name.", b" "),
        ("value-only", "An extension has a name.", b"=b"),
        ("without-value", "A value follows an equals sign.", b"a="),
        ("two-values", "There is one value.", b"a=b=c"),
        ("two-words", "A name is one token.", b"a b"),
        ("value-two-words", "A value is one token.", b"a=b c"),
        ("name-slash", "A slash is no token octet.", b"a/b"),
        ("name-quotes", "A name is no string.", b'"a"=b'),
        ("name-colon", "A colon is no token octet.", b"a:b"),
        ("value-comma", "A comma is no token octet.", b"a=b,c"),
        ("value-brackets", "Brackets are no token octets.", b"a=[b]"),
        ("quotes-open", "Quotes are closed.", b'a="b'),
        ("quotes-ended-by-pair", "A quoted quotation mark closes nothing.", b'a="b\\"'),
        ("quotes-and-more", "Nothing follows the quotes.", b'a="b"c'),
        ("quotes-twice", "There is one value.", b'a="b""c"'),
        ("single-quotes-space", "Single quotes are token octets, and hold no space.", b"a='b c'"),
        ("second-empty", "Every extension has a name.", b"a;;b"),
        ("semicolon-behind", "Every extension has a name.", b"a=b;"),
        ("space-behind", "White space is before a semicolon or an equals sign.", b"a "),
        ("space-behind-value", "White space is before a semicolon.", b"a=b "),
    ):
        yield f"chunk-extension-{name}", why, extended(extension)
    yield (
        "chunk-extension-crlf-in-quotes",
        "Quotes do not hold a line end: the line ends there, unclosed.",
        chunked(b'5;a="\r\nhello\r\n0\r\n\r\n"\r\n' + HIDDEN),
    )
    yield "chunk-extension-of-last-bad", "The last chunk's is checked, too.", chunked(b"0;a=\r\n\r\n")
    yield "chunk-extension-bad-backslash", "A pair quotes an octet.", extended(b'a="\\\x01"')


def _trailers() -> Iterator[Refused]:
    yield "trailer-without-colon", "A trailer is a field line.", trailed(b"A")
    yield "trailer-without-name", "A trailer is a field line.", trailed(b": b")
    yield "trailer-space-before-colon", "As in a head.", trailed(b"A : b")
    yield "trailer-tab-before-colon", "As in a head.", trailed(b"A\t: b")
    yield "trailer-folded", "As in a head.", trailed(b"A: b", b" c")
    yield "trailer-folded-first", "Nothing is there to fold.", trailed(b" A: b")
    yield "trailer-name-slash", "A name is a token.", trailed(b"A/B: c")
    yield "trailer-name-space", "A name is one token.", trailed(b"A B: c")
    yield "trailer-name-beyond-ascii", "A name is ASCII.", trailed("é: b".encode())
    yield "trailer-is-request", "A request line is no field line.", chunked(b"0\r\n" + HIDDEN + HIDDEN)
    yield "trailer-is-chunk", "The last chunk was the last.", chunked(b"0\r\n5\r\nhello\r\n" + END)
    yield "trailer-second-bad", "Every line is checked.", trailed(b"A: b", b"C d")
    yield (
        "trailer-smuggles-behind-bare-lf",
        "Who ends the trailers at a bare LF sees a request next.",
        chunked(b"0\r\nA: b\n\n" + HIDDEN + b"\r\n"),
    )
    yield (
        "trailer-smuggles-in-fold",
        "Who takes the fold for an end sees a request next.",
        chunked(b"0\r\nA: b\r\n \r\n" + HIDDEN),
    )

"""Served: methods, versions, the four forms of a target, and empty lines before them."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import HOST, echo, get, head, served

ECHO = ("echo", "a")


def entries() -> Iterator[Entry]:
    """Yield the entries of this subject."""
    yield from _methods()
    yield from _versions()
    yield from served("RFC 9112, 3.2.1", 200, *_origin_forms())
    yield from _other_forms()
    yield from served("RFC 9112, 3.2", 200, *_hosts())


def _methods() -> Iterator[Entry]:
    yield from served(
        "RFC 9110, 9.3",
        200,
        ("method-get", "The plainest request there is.", get(), echo(host="corpus.test")),
        ("method-head", "HEAD is answered without content.", get(method=b"HEAD"), ParsedRequest("HEAD")),
    )
    yield from served(
        "RFC 9110, 15.5.6",
        405,
        *(
            (f"method-{name.lower()}", "It is known, and not for this path.", made, ParsedRequest(name))
            for name in ("POST", "PUT", "DELETE", "TRACE", "PATCH")
            for made in (get(method=name.encode()),)
        ),
    )
    yield from served(
        "RFC 9110, 15.6.2",
        501,
        (
            "method-small-letters",
            "Methods have case: this is another.",
            get(method=b"get"),
            ParsedRequest("get"),
        ),
        ("method-unknown", "Any token is a method.", get(method=b"PROPFIND"), ParsedRequest("PROPFIND")),
        ("method-one-letter", "A token has one byte at least.", get(method=b"G"), ParsedRequest("G")),
        ("method-digits", "Digits are token bytes.", get(method=b"123"), ParsedRequest("123")),
        (
            "method-every-mark",
            "So are these.",
            get(method=b"!#$%&'*+-.^_`|~"),
            ParsedRequest("!#$%&'*+-.^_`|~"),
        ),
        ("method-long", "A long method is valid.", get(method=b"M" * 100), ParsedRequest("M" * 100)),
    )
    yield from served(
        "RFC 9110, 9.3.7",
        204,
        (
            "method-options",
            "OPTIONS asks what can be asked for.",
            get(method=b"OPTIONS"),
            ParsedRequest("OPTIONS"),
        ),
    )


def _versions() -> Iterator[Entry]:
    last = echo(keep_alive=False)
    yield from served(
        "RFC 9112, 2.3",
        200,
        ("version-1-0", "HTTP/1.0 is served, and closes.", get(version=b"HTTP/1.0"), last),
        ("version-1-0-without-host", "It has no Host.", get(version=b"HTTP/1.0", host=None), last),
        ("version-1-2", "A higher minor version is served as 1.1.", get(version=b"HTTP/1.2"), echo()),
        ("version-1-9", "So is the highest.", get(version=b"HTTP/1.9"), echo()),
    )
    yield from served(
        "RFC 9112, 2.2",
        200,
        ("empty-line-before", "One empty line is skipped.", b"\r\n" + get(), echo()),
        ("empty-lines-before", "So are a few.", b"\r\n\r\n\r\n" + get(), echo()),
        ("empty-line-before-1-0", "In HTTP/1.0, too.", b"\r\n" + get(version=b"HTTP/1.0"), last),
    )


def _origin_forms() -> Iterator[tuple[str, str, bytes, ParsedRequest]]:
    for name, why, target, parsed in (
        ("root", "The shortest path.", b"/", ParsedRequest(segments=("",))),
        ("echo-nothing", "A last segment may be empty.", b"/echo/", echo("")),
        ("double-slash", "Segments in the middle may be, too.", b"/echo//a", echo("", "a")),
        ("trailing-slash", "An empty segment is one.", b"/echo/a/", echo("a", "")),
        ("dot-segments", "Dots are left for the handler.", b"/echo/./../a", echo(".", "..", "a")),
        (
            "dots-beyond-root",
            "There is nothing above the root.",
            b"/echo/../../../a",
            echo("..", "..", "..", "a"),
        ),
        ("dots-escaped", "Escaped dots are dots.", b"/echo/%2e%2E", echo("..")),
        ("space-escaped", "A space is escaped.", b"/echo/a%20b", echo("a b")),
        ("plus", "A plus is a plus in a path.", b"/echo/a+b", echo("a+b")),
        ("slash-escaped", "An escaped slash does not separate.", b"/echo/a%2Fb", echo("a/b")),
        ("percent-escaped", "It is decoded once.", b"/echo/%2541", echo("%41")),
        ("question-mark-escaped", "An escaped one begins no query.", b"/echo/a%3Fb", echo("a?b")),
        ("hash-escaped", "An escaped one begins no fragment.", b"/echo/a%23b", echo("a#b")),
        ("letter-escaped", "What need not be may be.", b"/%65cho/%61", echo()),
        ("hex-any-case", "Digits have no case.", b"/echo/%c3%A9", echo("é")),
        ("utf-8-three-bytes", "Characters are UTF-8.", b"/echo/%E2%82%AC", echo("€")),
        ("utf-8-four-bytes", "Up to four bytes.", b"/echo/%F0%9F%A6%86", echo("🦆")),
        ("crlf-escaped", "Escaped, a line end is text.", b"/echo/a%0d%0aA:%20b", echo("a\r\nA: b")),
        ("request-escaped", "So is a request.", b"/echo/%0D%0A%0D%0AGET%20/", echo("\r\n\r\nGET ", "")),
        ("control-escaped", "So is a control.", b"/echo/%01%7F", echo("\x01\x7f")),
        ("colon-at", "A path may contain these.", b"/echo/a:b@c", echo("a:b@c")),
        ("sub-delims", "And these.", b"/echo/!$&'()*+,;=", echo("!$&'()*+,;=")),
        ("unreserved", "And these.", b"/echo/-._~09AZaz", echo("-._~09AZaz")),
        ("parameters", "They are a part of the segment.", b"/echo/a;b=c", echo("a;b=c")),
        ("asterisk", "In a path it is an ordinary character.", b"/echo/*", echo("*")),
        ("uri-in-path", "Another URI is text.", b"/echo/http://b/c", echo("http:", "", "b", "c")),
        ("query", "A query is not decoded.", b"/echo/a?b=c%20d&e", echo(query="b=c%20d&e")),
        ("query-empty", "It may be empty.", b"/echo/a?", echo()),
        (
            "query-marks",
            "A query may contain slashes and question marks.",
            b"/echo/a?/?b?/",
            echo(query="/?b?/"),
        ),
        ("query-uri", "So does a URI.", b"/echo/a?u=http://b:80/@", echo(query="u=http://b:80/@")),
        ("query-nul-escaped", "What it means is not decided here.", b"/echo/a?%00", echo(query="%00")),
        ("query-on-root", "Every path has one.", b"/?a", ParsedRequest(segments=("",), query="a")),
        ("long-path", "A path of 4,000 bytes.", b"/echo/" + b"a" * 4000, echo("a" * 4000)),
        ("many-segments", "And of 1,000 segments.", b"/echo" + b"/a" * 1000, echo(*"a" * 1000)),
    ):
        yield f"target-{name}", why, get(target=target), parsed


def _other_forms() -> Iterator[Entry]:
    there = echo(host="there.test")
    root = ParsedRequest(segments=("",), headers={"host": "there.test"})

    def absolute(target: bytes) -> bytes:
        return get(target=target)

    yield from served(
        "RFC 9112, 3.2.2",
        200,
        ("absolute", "Its authority replaces Host.", absolute(b"http://there.test/echo/a"), there),
        ("absolute-capitals", "A scheme has no case.", absolute(b"HTTP://there.test/echo/a"), there),
        (
            "absolute-port",
            "The port goes with it.",
            absolute(b"http://there.test:81/echo/a"),
            echo(host="there.test:81"),
        ),
        ("absolute-address", "So do brackets.", absolute(b"http://[::1]:81/echo/a"), echo(host="[::1]:81")),
        ("absolute-without-path", "An empty path is the root.", absolute(b"http://there.test"), root),
        (
            "absolute-without-path-but-query",
            "With a query, too.",
            absolute(b"http://there.test?a=b"),
            ParsedRequest(segments=("",), query="a=b", headers={"host": "there.test"}),
        ),
        (
            "absolute-query",
            "A query may hold another URI.",
            absolute(b"http://there.test/echo/a?http://b"),
            echo(host="there.test", query="http://b"),
        ),
        (
            "absolute-in-1-0",
            "HTTP/1.0 needs no Host line.",
            get(target=b"http://there.test/echo/a", version=b"HTTP/1.0", host=None),
            echo(host="there.test", keep_alive=False),
        ),
        (
            "absolute-with-empty-host-line",
            "An empty Host line is one.",
            get(target=b"http://there.test/echo/a", host=b""),
            there,
        ),
    )
    asterisk = ParsedRequest("OPTIONS", ())
    yield from served(
        "RFC 9112, 3.2.4",
        204,
        ("asterisk", "OPTIONS asks about the whole server.", get(target=b"*", method=b"OPTIONS"), asterisk),
        (
            "asterisk-as-absolute",
            "A proxy is asked like this.",
            get(target=b"http://there.test", method=b"OPTIONS"),
            ParsedRequest("OPTIONS", (), headers={"host": "there.test"}),
        ),
    )
    connect = ParsedRequest("CONNECT", ())
    yield from served(
        "RFC 9112, 3.2.3",
        501,
        ("authority", "CONNECT is understood, and not offered.", connecting(b"there.test:443"), connect),
        ("authority-address", "Brackets hold an address.", connecting(b"[::1]:443"), connect),
    )


def connecting(target: bytes) -> bytes:
    """Write a CONNECT request for this target."""
    return get(target=target, method=b"CONNECT")


def _hosts() -> Iterator[tuple[str, str, bytes, ParsedRequest]]:
    for name, why, host in (
        ("empty", "A client without an authority sends it empty.", b""),
        ("port", "A port is digits.", b"corpus.test:80"),
        ("empty-port", "Or none.", b"corpus.test:"),
        ("port-only", "A name may be empty.", b":80"),
        ("large-port", "What a port means is not decided here.", b"corpus.test:99999999"),
        ("capitals", "Names have no case.", b"CORPUS.Test."),
        ("marks", "These are legal in a name.", b"a-b_c~d!$&'()*+;="),
        ("escapes", "So are escapes.", b"caf%C3%A9.test"),
        ("ipv4", "An address is a name by its grammar.", b"127.0.0.1:4221"),
        ("ipv4-too-large", "So is what looks like one.", b"256.1.1.1"),
        ("ipv6", "Brackets hold an address.", b"[2001:DB8::1]"),
        ("ipv6-port", "And a port follows.", b"[::1]:80"),
        ("ipv6-ipv4", "With an IPv4 address at its end.", b"[::ffff:1.2.3.4]"),
        ("ipv6-full", "Or with all its groups.", b"[1:2:3:4:5:6:7:8]"),
        ("future", "Or of a version to come.", b"[v1.fe80::a+en1]"),
    ):
        yield f"host-{name}", why, get(host=host), echo(host=host.decode())
    first = b"GET /echo/a HTTP/1.1"
    parsed = echo(host="corpus.test")
    yield "host-last", "Order means nothing.", head(first, b"A: b", b"C: d", b"Host: " + HOST), parsed
    yield "host-white-space", "It is stripped.", head(first, b"Host:\t " + HOST + b" \t"), parsed
    yield "host-no-space", "None is needed.", head(first, b"HOST:" + HOST), parsed

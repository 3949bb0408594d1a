"""Served: methods, versions, the four forms of a target, and empty lines before them."""

from collections.abc import Iterator

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.written import HOST, Served, echo, get, head, served

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
        ("method-get", get(), echo(host="corpus.test")),
        ("method-head", get(method=b"HEAD"), ParsedRequest("HEAD")),
    )
    yield from served(
        "RFC 9110, 15.5.6",
        405,
        *(
            (f"method-{name.lower()}", made, ParsedRequest(name))
            for name in ("POST", "PUT", "DELETE", "TRACE", "PATCH")
            for made in (get(method=name.encode()),)
        ),
    )
    yield from served(
        "RFC 9110, 15.6.2",
        501,
        ("method-small-letters", get(method=b"get"), ParsedRequest("get")),
        ("method-unknown", get(method=b"PROPFIND"), ParsedRequest("PROPFIND")),
        ("method-one-letter", get(method=b"G"), ParsedRequest("G")),
        ("method-digits", get(method=b"123"), ParsedRequest("123")),
        ("method-every-mark", get(method=b"!#$%&'*+-.^_`|~"), ParsedRequest("!#$%&'*+-.^_`|~")),
        ("method-long", get(method=b"M" * 100), ParsedRequest("M" * 100)),
    )
    yield from served(
        "RFC 9110, 9.3.7", 204, ("method-options", get(method=b"OPTIONS"), ParsedRequest("OPTIONS"))
    )


def _versions() -> Iterator[Entry]:
    last = echo(keep_alive=False)
    yield from served(
        "RFC 9112, 2.3",
        200,
        ("version-1-0", get(version=b"HTTP/1.0"), last),
        ("version-1-0-without-host", get(version=b"HTTP/1.0", host=None), last),
        ("version-1-2", get(version=b"HTTP/1.2"), echo()),
        ("version-1-9", get(version=b"HTTP/1.9"), echo()),
    )
    yield from served(
        "RFC 9112, 2.2",
        200,
        ("empty-line-before", b"\r\n" + get(), echo()),
        ("empty-lines-before", b"\r\n\r\n\r\n" + get(), echo()),
        ("empty-line-before-1-0", b"\r\n" + get(version=b"HTTP/1.0"), last),
    )


def _origin_forms() -> Iterator[Served]:
    for name, target, parsed in (
        ("root", b"/", ParsedRequest(segments=("",))),
        ("echo-nothing", b"/echo/", echo("")),
        ("double-slash", b"/echo//a", echo("", "a")),
        ("trailing-slash", b"/echo/a/", echo("a", "")),
        ("dot-segments", b"/echo/./../a", echo(".", "..", "a")),
        ("dots-beyond-root", b"/echo/../../../a", echo("..", "..", "..", "a")),
        ("dots-escaped", b"/echo/%2e%2E", echo("..")),
        ("space-escaped", b"/echo/a%20b", echo("a b")),
        ("plus", b"/echo/a+b", echo("a+b")),
        ("slash-escaped", b"/echo/a%2Fb", echo("a/b")),
        ("percent-escaped", b"/echo/%2541", echo("%41")),
        ("question-mark-escaped", b"/echo/a%3Fb", echo("a?b")),
        ("hash-escaped", b"/echo/a%23b", echo("a#b")),
        ("letter-escaped", b"/%65cho/%61", echo()),
        ("hex-any-case", b"/echo/%c3%A9", echo("é")),
        ("utf-8-three-bytes", b"/echo/%E2%82%AC", echo("€")),
        ("utf-8-four-bytes", b"/echo/%F0%9F%A6%86", echo("🦆")),
        ("crlf-escaped", b"/echo/a%0d%0aA:%20b", echo("a\r\nA: b")),
        ("request-escaped", b"/echo/%0D%0A%0D%0AGET%20/", echo("\r\n\r\nGET ", "")),
        ("control-escaped", b"/echo/%01%7F", echo("\x01\x7f")),
        ("colon-at", b"/echo/a:b@c", echo("a:b@c")),
        ("sub-delims", b"/echo/!$&'()*+,;=", echo("!$&'()*+,;=")),
        ("unreserved", b"/echo/-._~09AZaz", echo("-._~09AZaz")),
        ("parameters", b"/echo/a;b=c", echo("a;b=c")),
        ("asterisk", b"/echo/*", echo("*")),
        ("uri-in-path", b"/echo/http://b/c", echo("http:", "", "b", "c")),
        ("query", b"/echo/a?b=c%20d&e", echo(query="b=c%20d&e")),
        ("query-empty", b"/echo/a?", echo()),
        ("query-marks", b"/echo/a?/?b?/", echo(query="/?b?/")),
        ("query-uri", b"/echo/a?u=http://b:80/@", echo(query="u=http://b:80/@")),
        ("query-nul-escaped", b"/echo/a?%00", echo(query="%00")),
        ("brackets-as-browsers-send-them", b"/echo/[a]", echo("[a]")),
        ("bar-as-browsers-send-it", b"/echo/a|b", echo("a|b")),
        ("caret-as-browsers-send-it", b"/echo/a^b", echo("a^b")),
        ("raw-before-escape", b"/echo/[%5B]%7C|", echo("[[]||")),
        ("query-brackets", b"/echo/a?b[]=c", echo(query="b[]=c")),
        ("query-bar-and-caret", b"/echo/a?b|c^d", echo(query="b|c^d")),
        ("query-braces", b"/echo/a?{b}", echo(query="{b}")),
        ("query-backslash", b"/echo/a?b\\c", echo(query="b\\c")),
        ("query-backtick", b"/echo/a?`b`", echo(query="`b`")),
        ("query-raw-after-escape", b"/echo/a?%7B{", echo(query="%7B{")),
        ("query-on-root", b"/?a", ParsedRequest(segments=("",), query="a")),
        ("long-path", b"/echo/" + b"a" * 4000, echo("a" * 4000)),
        ("many-segments", b"/echo" + b"/a" * 1000, echo(*"a" * 1000)),
    ):
        yield f"target-{name}", get(target=target), parsed


def _other_forms() -> Iterator[Entry]:
    there = echo(host="there.test")
    root = ParsedRequest(segments=("",), headers={"host": "there.test"})

    def absolute(target: bytes) -> bytes:
        return get(target=target)

    yield from served(
        "RFC 9112, 3.2.2",
        200,
        ("absolute", absolute(b"http://there.test/echo/a"), there),
        ("absolute-capitals", absolute(b"HTTP://there.test/echo/a"), there),
        ("absolute-port", absolute(b"http://there.test:81/echo/a"), echo(host="there.test:81")),
        ("absolute-address", absolute(b"http://[::1]:81/echo/a"), echo(host="[::1]:81")),
        ("absolute-without-path", absolute(b"http://there.test"), root),
        (
            "absolute-without-path-but-query",
            absolute(b"http://there.test?a=b"),
            ParsedRequest(segments=("",), query="a=b", headers={"host": "there.test"}),
        ),
        (
            "absolute-query",
            absolute(b"http://there.test/echo/a?http://b"),
            echo(host="there.test", query="http://b"),
        ),
        ("absolute-raw", absolute(b"http://there.test/echo/[a|b^c]"), echo("[a|b^c]", host="there.test")),
        (
            "absolute-raw-query",
            absolute(b"http://there.test?[]|^{}\\`"),
            ParsedRequest(segments=("",), query="[]|^{}\\`", headers={"host": "there.test"}),
        ),
        (
            "absolute-in-1-0",
            get(target=b"http://there.test/echo/a", version=b"HTTP/1.0", host=None),
            echo(host="there.test", keep_alive=False),
        ),
        ("absolute-with-empty-host-line", get(target=b"http://there.test/echo/a", host=b""), there),
    )
    asterisk = ParsedRequest("OPTIONS", ())
    yield from served(
        "RFC 9112, 3.2.4",
        204,
        ("asterisk", get(target=b"*", method=b"OPTIONS"), asterisk),
        (
            "asterisk-as-absolute",
            get(target=b"http://there.test", method=b"OPTIONS"),
            ParsedRequest("OPTIONS", (), headers={"host": "there.test"}),
        ),
    )
    connect = ParsedRequest("CONNECT", ())
    yield from served(
        "RFC 9112, 3.2.3",
        501,
        ("authority", connecting(b"there.test:443"), connect),
        ("authority-address", connecting(b"[::1]:443"), connect),
    )


def connecting(target: bytes) -> bytes:
    """Write a CONNECT request for this target."""
    return get(target=target, method=b"CONNECT")


def _hosts() -> Iterator[Served]:
    for name, host in (
        ("empty", b""),
        ("port", b"corpus.test:80"),
        ("empty-port", b"corpus.test:"),
        ("port-only", b":80"),
        ("large-port", b"corpus.test:99999999"),
        ("capitals", b"CORPUS.Test."),
        ("marks", b"a-b_c~d!$&'()*+;="),
        ("escapes", b"caf%C3%A9.test"),
        ("ipv4", b"127.0.0.1:4221"),
        ("ipv4-too-large", b"256.1.1.1"),
        ("ipv6", b"[2001:DB8::1]"),
        ("ipv6-port", b"[::1]:80"),
        ("ipv6-ipv4", b"[::ffff:1.2.3.4]"),
        ("ipv6-full", b"[1:2:3:4:5:6:7:8]"),
        ("future", b"[v1.fe80::a+en1]"),
    ):
        yield f"host-{name}", get(host=host), echo(host=host.decode())
    first = b"GET /echo/a HTTP/1.1"
    parsed = echo(host="corpus.test")
    yield "host-last", head(first, b"A: b", b"C: d", b"Host: " + HOST), parsed
    yield "host-white-space", head(first, b"Host:\t " + HOST + b" \t"), parsed
    yield "host-no-space", head(first, b"HOST:" + HOST), parsed

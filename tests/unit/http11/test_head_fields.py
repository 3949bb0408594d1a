"""Refusals: field lines, Host and Expect; and beside each its twin that is accepted."""

import pytest

from tests.unit.http11.deliver import assert_accepted, assert_refused, cases, deliver, get, post

MALFORMED_FIELD_LINES = {
    "space before the colon": get(b"A : b"),
    "tab before the colon": get(b"A\t: b"),
    "space before the colon of Host": get(b"Host : x", host=None),
    "no colon": get(b"Accept"),
    "no colon, with a value": get(b"Accept text/html"),
    "no name": get(b": b"),
    "colon only": get(b":"),
    "space in the name": get(b"A B: c"),
    "control in the name": get(b"A\x01: b"),
    "DEL in the name": get(b"A\x7f: b"),
    "name beyond ASCII": get(b"\xc9: b"),
    "name in parentheses": get(b"(A): b"),
    "name in quotes": get(b'"A": b'),
    "slash in the name": get(b"A/B: c"),
    "fold with a space": get(b"A: b", b" c"),
    "fold with a tab": get(b"A: b", b"\tc"),
    "fold that looks like a field": get(b"A: b", b" Content-Length: 5"),
    "fold of white space only": get(b"A: b", b" "),
    "fold before the first field line": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "fold of the first field line": b"GET / HTTP/1.1\r\nHost:\r\n x\r\n\r\n",
    "white space before the first name": b"GET / HTTP/1.1\r\n\tA: b\r\nHost: x\r\n\r\n",
    "control in the value": get(b"A: b\x01c"),
    "escape in the value": get(b"A: \x1b[31m"),
    "vertical tab around the value": get(b"A: \x0bb"),
    "form feed in the value": get(b"A: b\x0c"),
    "backspace in the value": get(b"A: b\x08"),
    "DEL in the value": get(b"A: b\x7f"),
    "second request line": get(b"GET / HTTP/1.1"),
}
MALFORMED_HOSTS = {
    "space": b"a b",
    "tab": b"a\tb",
    "comma": b"a,b",
    "comma only": b",",
    "comma and space": b"a, a",
    "user": b"user@x",
    "user and password": b"user:secret@x",
    "empty user": b"@x",
    "slash": b"x/",
    "path": b"x/path",
    "scheme": b"http://x",
    "query": b"x?y",
    "fragment": b"x#y",
    "backslash": b"x\\y",
    "port with letters": b"x:http",
    "port with a sign": b"x:+80",
    "port below zero": b"x:-80",
    "two ports": b"x:80:81",
    "port beyond ASCII": b"x:8\xb2",
    "port with a space": b"x: 80",
    "IPv6 without brackets": b"::1",
    "IPv6 without its end": b"[::1",
    "IPv6 without its beginning": b"::1]",
    "IPv6 empty": b"[]",
    "IPv6 with two gaps": b"[1::2::3]",
    "IPv6 too long": b"[1:2:3:4:5:6:7:8:9]",
    "IPv6 too short": b"[1:2:3]",
    "IPv6 group too large": b"[12345::]",
    "IPv6 with other letters": b"[::g]",
    "IPv6 with a zone": b"[fe80::1%25eth0]",
    "IPv6 with a bad IPv4": b"[::1.2.3.256]",
    "IPv6 and more": b"[::1]x",
    "IPv6 behind something": b"x[::1]",
    "IPv6 with a bad port": b"[::1]:x",
    "IPv4 in brackets": b"[127.0.0.1]",
    "name in brackets": b"[localhost]",
    "future address without its version": b"[v.x]",
    "future address that is empty": b"[v1.]",
    "bad percent-encoding": b"a%zz",
    "cut percent-encoding": b"a%2",
    "beyond ASCII": b"caf\xe9",
    "quotes": b'"x"',
    "angle brackets": b"<x>",
    "brace": b"{x}",
    "bar": b"x|y",
    "caret": b"x^y",
    "backtick": b"x`y",
}
HOSTS = [
    *(
        b"",
        b"x",
        b"x:80",
        b"x:",
        b":80",
        b"example.org",
        b"EXAMPLE.org.",
        b"a-b_c~d",
        b"127.0.0.1:4221",
        b"256.1.1.1",
    ),
    *(
        b"[::1]",
        b"[::1]:80",
        b"[::]",
        b"[2001:DB8::1]:",
        b"[::ffff:1.2.3.4]",
        b"[1:2:3:4:5:6:7:8]",
        b"[v1.fe80::a+en1]",
    ),
    *(b"a%20b", b"%C3%A9", b"a!$&'()*+;=b", b"xn--caf-dma", b" \tx\t "),
]


@pytest.mark.parametrize("octets", cases(MALFORMED_FIELD_LINES))
def test_a_malformed_field_line_is_refused(octets: bytes) -> None:
    assert_refused(400, octets)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"A: b", "A", "b"),
        (b"A:b", "A", "b"),
        (b"A:", "A", ""),
        (b"A: \t ", "A", ""),
        (b"A:\t b \t", "A", "b"),
        (b"A: b\tc  d", "A", "b\tc  d"),
        (b"A: : b:", "A", ": b:"),
        (b"!#$%&'*+-.^_`|~09aZ: v", "!#$%&'*+-.^_`|~09aZ", "v"),
        (b"A: \x80\xff", "A", "\x80\xff"),
        (b"A: \xa0", "A", "\xa0"),
        (b"A: \x85b\x85", "A", "\x85b\x85"),
    ],
)
def test_a_field_line_is_read_for_its_name_and_value(line: bytes, name: str, value: str) -> None:
    assert assert_accepted(get(line)).lines[-1] == (name, value)


@pytest.mark.parametrize("host", cases(MALFORMED_HOSTS))
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_malformed_host_is_refused(host: bytes, version: bytes) -> None:
    assert_refused(400, get(host=host, version=version))


@pytest.mark.parametrize("host", HOSTS)
def test_a_well_formed_host_is_accepted(host: bytes) -> None:
    assert assert_accepted(get(host=host)).lines == (("Host", host.strip(b" \t").decode()),)


def test_a_request_without_host_is_refused_in_http_1_1_only() -> None:
    assert_refused(400, get(host=None))
    assert_refused(400, get(b"X-Host: x", host=None))
    assert_refused(400, get(host=None, version=b"HTTP/1.2"))
    assert_refused(400, get(host=None, target=b"http://x/"))
    assert_accepted(get(host=None, version=b"HTTP/1.0"))
    assert_accepted(get(host=None, version=b"HTTP/1.0", target=b"http://x/"))


@pytest.mark.parametrize("other", [b"x", b"y", b"", b"[::1]"])
@pytest.mark.parametrize("name", [b"Host", b"host", b"HOST"])
def test_a_repeated_host_is_refused(other: bytes, name: bytes) -> None:
    assert_refused(400, get(name + b": " + other))
    assert_refused(400, get(b"Accept: */*", name + b": " + other, host=b""))


def test_a_repeated_host_is_refused_with_absolute_form_too() -> None:
    assert_refused(400, get(b"Host: x", target=b"http://x/"))
    assert_refused(400, get(host=b"a b", target=b"http://x/"))


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue", b"100-CONTINUE", b" 100-continue\t"])
def test_100_continue_can_be_expected(value: bytes) -> None:
    assert deliver([post(b"Content-Length: 1", b"Expect: " + value)]).status is None
    assert_accepted(get(b"Expect: " + value, version=b"HTTP/1.0"))


@pytest.mark.parametrize(
    "value", [b"200-ok", b"100-continue, x", b"100-continue;a=b", b"100", b"100 -continue", b"x"]
)
def test_nothing_else_can_be_expected(value: bytes) -> None:
    assert_refused(417, get(b"Expect: " + value))
    assert_refused(417, post(b"Content-Length: 1", b"Expect: " + value, content=b"a"))


def test_a_second_expectation_is_refused() -> None:
    assert_refused(417, get(b"Expect: 100-continue", b"Expect: something"))

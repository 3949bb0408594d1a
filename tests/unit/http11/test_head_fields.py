"""Invalid input: header lines, Host and Expect; each case with a similar valid one."""

import pytest

from tests.support.malformed import MALFORMED_FIELD_LINES, MALFORMED_HOSTS, values
from tests.unit.http11.deliver import assert_accepted, assert_refused, cases, deliver, get, post

HEADS = {
    **{name: get(*lines) for name, (_, _, lines) in MALFORMED_FIELD_LINES.items()},
    "space before the colon of Host": get(b"Host : x", host=None),
    "control in the name": get(b"A\x01: b"),
    "DEL in the name": get(b"A\x7f: b"),
    "fold before the first field line": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "fold of the first field line": b"GET / HTTP/1.1\r\nHost:\r\n x\r\n\r\n",
    "white space before the first name": b"GET / HTTP/1.1\r\n\tA: b\r\nHost: x\r\n\r\n",
    "control in the value": get(b"A: b\x01c"),
    "escape in the value": get(b"A: \x1b[31m"),
    "vertical tab around the value": get(b"A: \x0bb"),
    "form feed in the value": get(b"A: b\x0c"),
    "backspace in the value": get(b"A: b\x08"),
    "DEL in the value": get(b"A: b\x7f"),
}
REFUSED_HOSTS = {name: host.replace(b"HOST", b"x") for name, host in values(MALFORMED_HOSTS).items()}
HOSTS = [
    b"",
    *(
        b"x x:80 x: :80 example.org EXAMPLE.org. a-b_c~d 127.0.0.1:4221 256.1.1.1 [::1] [::1]:80 "
        b"[::] [2001:DB8::1]: [::ffff:1.2.3.4] [1:2:3:4:5:6:7:8] [v1.fe80::a+en1] a%20b %C3%A9 "
        b"a!$&'()*+;=b xn--caf-dma"
    ).split(),
    b" \tx\t ",
]


@pytest.mark.parametrize("data", cases(HEADS))
def test_a_malformed_field_line_is_refused(data: bytes) -> None:
    assert_refused(400, data)


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
def test_a_field_line_is_parsed_into_name_and_value(line: bytes, name: str, value: str) -> None:
    assert assert_accepted(get(line)).lines[-1] == (name, value)


@pytest.mark.parametrize("host", cases(REFUSED_HOSTS))
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
def test_expect_100_continue_is_recognized(value: bytes) -> None:
    assert deliver([post(b"Content-Length: 1", b"Expect: " + value)]).status is None
    assert_accepted(get(b"Expect: " + value, version=b"HTTP/1.0"))


@pytest.mark.parametrize(
    "value", [b"200-ok", b"100-continue, x", b"100-continue;a=b", b"100", b"100 -continue", b"x"]
)
def test_other_expectations_fail(value: bytes) -> None:
    assert_refused(417, get(b"Expect: " + value))
    assert_refused(417, post(b"Content-Length: 1", b"Expect: " + value, content=b"a"))


def test_additional_expectations_are_refused() -> None:
    assert_refused(417, get(b"Expect: 100-continue", b"Expect: something"))

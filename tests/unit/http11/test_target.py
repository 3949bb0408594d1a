"""The request target: its four forms, their methods, and invalid targets."""

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.target import Target, check_host, read_target
from tests.unit.http11.deliver import assert_accepted, assert_refused, get

EVERY_METHOD_BUT_CONNECT = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"]


def parts(target: Target) -> tuple[str, list[str], str | None, str | None]:
    return target.path, list(target.segments), target.query, target.authority


@pytest.mark.parametrize("method", EVERY_METHOD_BUT_CONNECT)
def test_origin_form_is_for_every_method_but_connect(method: str) -> None:
    assert parts(read_target(method, b"/a/b?c=d")) == ("/a/b", ["a", "b"], "c=d", None)


@pytest.mark.parametrize("method", EVERY_METHOD_BUT_CONNECT)
def test_absolute_form_is_for_every_method_but_connect(method: str) -> None:
    assert parts(read_target(method, b"http://h:81/a?c")) == ("/a", ["a"], "c", "h:81")


def test_asterisk_form_is_for_options_only() -> None:
    assert parts(read_target("OPTIONS", b"*")) == ("*", [], None, None)
    for method in (*EVERY_METHOD_BUT_CONNECT, "CONNECT", "options"):
        if method != "OPTIONS":
            assert_no_target(method, b"*")


def test_authority_form_is_for_connect_only() -> None:
    assert read_target("CONNECT", b"h:80").authority == "h:80"
    assert read_target("CONNECT", b"[::1]:80").authority == "[::1]:80"
    for method in EVERY_METHOD_BUT_CONNECT:
        assert_no_target(method, b"h:80")


def assert_no_target(method: str, data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_target(method, data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data",
    [
        *b"/ * http://h:80/ h h: :80 h:x h:80/ [::1] u@h:80 h:80:81 [::1:80".split(),
        *(b"", b":", b"h:\xb2", b"h:+80", b"h,i:80", b"h%zz:80", b"[1.2.3.4]:80"),
    ],
)
def test_connect_takes_a_host_and_a_port_only(data: bytes) -> None:
    assert_no_target("CONNECT", data)


@pytest.mark.parametrize(
    ("data", "path", "segments", "query"),
    [
        (b"/", "/", [""], None),
        (b"/?", "/", [""], ""),
        (b"//", "//", ["", ""], None),
        (b"//a//b/", "//a//b/", ["", "a", "", "b", ""], None),
        (b"/a%20b", "/a%20b", ["a b"], None),
        (b"/a%2Fb/c", "/a%2Fb/c", ["a/b", "c"], None),
        (b"/a%2fb", "/a%2fb", ["a/b"], None),
        (b"/%25", "/%25", ["%"], None),
        (b"/%2525", "/%2525", ["%25"], None),
        (b"/a+b", "/a+b", ["a+b"], None),
        (b"/caf%C3%A9", "/caf%C3%A9", ["caf\xe9"], None),
        (b"/%F0%9F%98%80", "/%F0%9F%98%80", ["\U0001f600"], None),
        (b"/%7Fa%0D%0A", "/%7Fa%0D%0A", ["\x7fa\r\n"], None),
        (b"/../a/./b", "/../a/./b", ["..", "a", ".", "b"], None),
        (b"/%2e%2E", "/%2e%2E", [".."], None),
        (b"/;a=b,c:@!$&'()*+-._~", "/;a=b,c:@!$&'()*+-._~", [";a=b,c:@!$&'()*+-._~"], None),
        (b"/*", "/*", ["*"], None),
        (b"/http://h/", "/http://h/", ["http:", "", "h", ""], None),
        (b"/a?b?c/d%20e&%C3=%00", "/a", ["a"], "b?c/d%20e&%C3=%00"),
        (b"/[a]/b|c^d%5B", "/[a]/b|c^d%5B", ["[a]", "b|c^d["], None),
        (b"/a?[]|^{}\\`", "/a", ["a"], "[]|^{}\\`"),
    ],
)
def test_a_path_is_split_before_it_is_decoded(
    data: bytes, path: str, segments: list[str], query: str | None
) -> None:
    assert parts(read_target("GET", data)) == (path, segments, query, None)
    assert str(read_target("GET", data)) == data.decode()


@pytest.mark.parametrize(
    "data",
    [
        *[b"", *b"a a/b ?a ../a \\a # %2F www.example.org/ ://h/ http:/h http:h".split()],
        *[*b'/a#b /?a#b /" /< /> /\\ /` /{ /} /[{ /?" /?< /?>'.split(), b"/a\tb"],
        *(b"/?#", b"/ ?", b"/? ", b"/?\x7f", b"/\x7f", b"/\x01", b"/\x80", b"/caf\xc3\xa9", b"/?caf\xe9"),
        *(
            b"/%",
            b"/%2",
            b"/%zz",
            b"/%2g",
            b"/%g2",
            b"/%%20",
            b"/% 20",
            b"/a%",
            b"/%u0041",
            b"/%-1",
            b"/%+1",
            b"/?%",
            b"/?%2",
            b"/?%zz",
        ),
        *(b"/%00", b"/a%00b", b"/a/b%00", b"/%00?x"),
        *(
            b"/%FF /%C3 /%C3%28 /%80 /%C0%AF /%C0%80 /%E0%80%AF /%ED%A0%80 /%F4%90%80%80 /%F8%88%80%80%80"
        ).split(),
        *(b"/%C3/%A9", b"/%E2%82", b"/a/%FE/b"),
    ],
)
def test_an_invalid_target_is_refused(data: bytes) -> None:
    assert_no_target("GET", data)
    assert_refused(400, get(target=data))
    if data.startswith(b"/"):
        assert_refused(400, get(target=b"http://h" + data))


@pytest.mark.parametrize(
    ("data", "path", "authority"),
    [
        (b"http://h/", "/", "h"),
        (b"http://h", "/", "h"),
        (b"HTTP://H", "/", "H"),
        (b"http://h:80/a", "/a", "h:80"),
        (b"http://h:/a", "/a", "h:"),
        (b"http://[::1]/a", "/a", "[::1]"),
        (b"http://[::1]:80", "/", "[::1]:80"),
        (b"http://a%20b/", "/", "a%20b"),
        (b"http://h//a", "//a", "h"),
        (b"http://h/[a|b^c]", "/[a|b^c]", "h"),
    ],
)
def test_absolute_form_names_its_host(data: bytes, path: str, authority: str) -> None:
    target = read_target("GET", data)
    assert (target.path, target.authority) == (path, authority)
    assert assert_accepted(get(target=data)).lines == (("Host", authority),)


def test_absolute_form_may_have_a_query_without_a_path() -> None:
    assert parts(read_target("GET", b"http://h?a=b")) == ("/", [""], "a=b", "h")


def test_options_with_absolute_form_without_path_is_asterisk_form() -> None:
    assert parts(read_target("OPTIONS", b"http://h:81")) == ("*", [], None, "h:81")
    assert parts(read_target("OPTIONS", b"http://h:81/")) == ("/", [""], None, "h:81")
    assert parts(read_target("OPTIONS", b"http://h:81?a")) == ("/", [""], "a", "h:81")


def test_the_authority_of_absolute_form_replaces_host() -> None:
    seen = assert_accepted(get(b"A: b", b"C: d", target=b"http://other:81/", host=b"x"))
    assert dict(seen.lines) == {"Host": "other:81", "A": "b", "C": "d"}
    assert len(seen.lines) == 3


@pytest.mark.parametrize(
    "data",
    (
        b"http:// http:///a http://:80/ http://?a http://u@h/ http://u:p@h/ http://@h/ http://h,i/ "
        b"http://h:x/ http://h:80:81/ http://h:+80/ http://::1/ http://[::1/ http://[::g]/ "
        b"http://h%/ http://h%zz/ http://h#a http://h/#a http://caf\xe9/ http://h\\@i/ http://[]/ "
        b"ftp://h/ ws://h/ file:///a mailto:a@h httpx://h/ http//h/ //h/# javascript:a"
    ).split(),
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_an_invalid_absolute_form_is_refused(data: bytes, method: str) -> None:
    assert_no_target(method, data)
    assert_refused(400, method.encode() + b" " + data + b" HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("data", [b"", b"x", b"x:80", b"[::1]", b":80"])
def test_a_well_formed_host_is_accepted(data: bytes) -> None:
    check_host(data)


@pytest.mark.parametrize(
    "data", [b"a b", b"a,b", b"u@h", b"h/", b"[1::2::3]", b"[::1", b"h:x", b"h\n", b"h:80\n"]
)
def test_a_malformed_host_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_host(data)
    assert caught.value.status == 400


@pytest.mark.parametrize("target", ["https://h/a?b", "http://h/a?b", "/a?b"])
def test_a_copy_is_the_same_target_with_empty_caches(target: str) -> None:
    read = read_target("GET", target.encode(), accepts_https=True)
    read.cached_texts = ("", "")
    copied = read.copy()
    assert str(copied) == str(read) == target
    assert copied.cached_texts is None

"""Forwarded and X-Forwarded fields: read from the right, and only while trusted."""

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.forwarded import MAX_PROXIES, Origin, read_address, read_forwarded
from reactor.http11.headers import Headers, read_header_line

PROXY, OUTER = "10.0.0.1", "10.0.0.2"  # the nearest proxy, and one in front of it
CLIENT, SPOOFED = "192.0.2.7", "203.0.113.66"


def trusted(address: str) -> bool:
    return address.startswith("10.")


def headers_of(*lines: str) -> Headers:
    return Headers([read_header_line(line.encode("latin-1")) for line in lines])


def read(*lines: str) -> Origin:
    return read_forwarded(headers_of(*lines), PROXY, trusted)


def refusal(*lines: str) -> str:
    with pytest.raises(HTTPError) as error:
        read(*lines)
    assert error.value.status == 400
    assert error.value.reason.isprintable()
    return error.value.reason


# Lists of addresses, and the client in them. Each is read in both fields.
WALKS = [
    ([], PROXY),
    ([CLIENT], CLIENT),
    ([SPOOFED, CLIENT], CLIENT),
    ([OUTER, CLIENT], CLIENT),
    ([CLIENT, OUTER], CLIENT),
    ([SPOOFED, CLIENT, OUTER], CLIENT),
    ([SPOOFED, OUTER, CLIENT, OUTER], CLIENT),
    ([OUTER], OUTER),
    (["10.0.0.9", OUTER], "10.0.0.9"),
    (["unknown"], PROXY),
    ([CLIENT, "unknown"], PROXY),
    ([CLIENT, "unknown", OUTER], OUTER),
    ([CLIENT, "_hidden", OUTER], OUTER),
    ([CLIENT, "unix"], PROXY),
    ([CLIENT, "10.0.0.256"], PROXY),
    ([CLIENT, "10.0.0.01"], PROXY),
    (["10.0.0.2.evil.example", OUTER], OUTER),
    ([f"{CLIENT}:4711"], CLIENT),
    ([f"{CLIENT}:_port", f"{OUTER}:1"], CLIENT),
    (["[2001:DB8::7]"], "2001:db8::7"),
    (["[2001:db8::7]:4711"], "2001:db8::7"),
    ([f"[::ffff:{CLIENT}]"], CLIENT),
    ([SPOOFED, CLIENT, f"[::ffff:{OUTER}]"], CLIENT),
    (["[fe80::1%x]"], PROXY),
    (["[10.0.0.2]"], PROXY),
    ([f"{CLIENT}:123456"], PROXY),
    ([f"{CLIENT} {OUTER}"], PROXY),
]


@pytest.mark.parametrize(("nodes", "client"), WALKS, ids=lambda value: str(value)[:40])
def test_the_first_untrusted_address_from_the_right_is_the_client(nodes: list[str], client: str) -> None:
    elements = [f'for="{node}"' for node in nodes]
    assert read(f"X-Forwarded-For: {', '.join(nodes)}").address == client
    assert read(f"Forwarded: {', '.join(elements)}").address == client
    assert read(*(f"X-Forwarded-For: {node}" for node in nodes)).address == client
    assert read(*(f"Forwarded: {element}" for element in elements)).address == client
    both = read(f"Forwarded: {','.join(elements)}", f"X-Forwarded-For: {','.join(nodes)}")
    assert both.address == client


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.7", Origin(CLIENT)),
        ("For=192.0.2.7;Proto=HTTPS;HOST=a.test;by=_x", Origin(CLIENT, "https", "a.test")),
        ('host="a.test:8443"; for="192.0.2.7" ;proto=http', Origin(CLIENT, "http", "a.test:8443")),
        (r'for="1\92.0.2.7"', Origin(CLIENT)),
        (f"for={SPOOFED};proto=https;host=evil.example, for=192.0.2.7", Origin(CLIENT)),
        ("for=192.0.2.7;proto=https;host=a.test, for=10.0.0.2;proto=http", Origin(CLIENT, "https", "a.test")),
        ("proto=https", Origin(PROXY, "https")),
        ("for=unknown;proto=https;host=a.test", Origin(PROXY, "https", "a.test")),
        ('host=""', Origin(PROXY)),
        ('ext="a,b;for=1.2.3.4";for=192.0.2.7', Origin(CLIENT)),
        (", ,for=192.0.2.7, ;;", Origin(CLIENT)),
        # A malformed element has no address and no values.
        ("for=192.0.2.7;proto=https;for=192.0.2.8", Origin(PROXY)),
        ("for=192.0.2.7;proto = https", Origin(PROXY)),
        ("for=192.0.2.7;proto", Origin(PROXY)),
        ("for=2001:db8::7", Origin(PROXY)),
        ('for=192.0.2.7;x="a"b', Origin(PROXY)),
        ("", Origin(PROXY)),
    ],
)
def test_an_element_of_forwarded_has_pairs(value: str, expected: Origin) -> None:
    assert read(f"Forwarded: {value}") == expected


@pytest.mark.parametrize(
    ("lines", "scheme"),
    [
        (["X-Forwarded-Proto: https"], "https"),
        (["X-Forwarded-Proto: HTTP"], "http"),
        (["X-Forwarded-Proto: http, https"], "https"),
        (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], "https"),
        ([f"X-Forwarded-For: {CLIENT}", "X-Forwarded-Proto: nonsense, https"], "https"),
        ([f"X-Forwarded-For: {SPOOFED}, {CLIENT}", "X-Forwarded-Proto: http, https"], "https"),
        ([f"X-Forwarded-For: {CLIENT}, {OUTER}", "X-Forwarded-Proto: https, http"], "https"),
        ([f"X-Forwarded-For: {CLIENT}, {OUTER}", "X-Forwarded-Proto: http, https, http"], "https"),
        ([f"X-Forwarded-For: {CLIENT}, {OUTER}", "X-Forwarded-Proto: https"], "https"),
        (["X-Forwarded-Proto:"], None),
        (["X-Forwarded-Proto: ,"], None),
        ([f"X-Forwarded-For: {CLIENT}"], None),
    ],
)
def test_the_scheme_is_that_of_the_outermost_trusted_proxy(lines: list[str], scheme: str | None) -> None:
    assert read(*lines).scheme == scheme


def test_host_and_prefix_follow_the_same_rule() -> None:
    origin = read(
        f"X-Forwarded-For: {SPOOFED}, {CLIENT}, {OUTER}",
        "X-Forwarded-Host: evil.example, files.example:8443, inner.example",
        "X-Forwarded-Prefix: /evil, /share/, /inner",
    )
    assert origin == Origin(CLIENT, None, "files.example:8443", "/share")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X-Forwarded-Proto: ftp", "invalid X-Forwarded-Proto: 'ftp' (expected http or https)"),
        ("X-Forwarded-Proto: https://", "invalid X-Forwarded-Proto"),
        ("Forwarded: proto=ws", "invalid proto in Forwarded: 'ws'"),
        ("X-Forwarded-Host: a b", "invalid X-Forwarded-Host: 'a b'"),
        ("X-Forwarded-Host: a.test/x", "invalid X-Forwarded-Host"),
        ("X-Forwarded-Host: me@a.test", "invalid X-Forwarded-Host"),
        ("X-Forwarded-Host: [::g]", "invalid X-Forwarded-Host"),
        ("X-Forwarded-Host: :80", "invalid X-Forwarded-Host: ':80'"),
        ("X-Forwarded-Host: b\xfccher.example", "invalid X-Forwarded-Host"),
        ('Forwarded: host="a.test\\" onload=\\"x"', "invalid host in Forwarded"),
        ("X-Forwarded-Prefix: //evil.example", "X-Forwarded-Prefix: invalid prefix: '//evil.example'"),
        ("X-Forwarded-Prefix: /a/../b", "X-Forwarded-Prefix: invalid prefix"),
        ("X-Forwarded-Prefix: https://evil.example", "X-Forwarded-Prefix: invalid prefix"),
        ("X-Forwarded-Prefix: /\\evil.example", "X-Forwarded-Prefix: invalid prefix"),
        ('Forwarded: for="192.0.2.7', "malformed Forwarded: unmatched quote"),
        ('Forwarded: for="192.0.2.7\\", for=192.0.2.8', "malformed Forwarded: unmatched quote"),
    ],
)
def test_an_invalid_value_is_400_and_names_its_field(line: str, reason: str) -> None:
    assert reason in refusal(line)


def test_a_value_that_is_not_used_may_be_invalid() -> None:
    origin = read(
        f"X-Forwarded-For: ;;, {CLIENT}",
        "X-Forwarded-Proto: ftp, https",
        "X-Forwarded-Host: a b, a.test",
        "X-Forwarded-Prefix: //evil, /a",
    )
    assert origin == Origin(CLIENT, "https", "a.test", "/a")


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([f"Forwarded: for={SPOOFED}", f"X-Forwarded-For: {CLIENT}"], "clients"),
        (["Forwarded: for=unknown", f"X-Forwarded-For: {CLIENT}"], "clients"),
        ([f"Forwarded: for={SPOOFED}", "X-Forwarded-For: "], "clients"),
        (["Forwarded: proto=https", "X-Forwarded-Proto: http"], "schemes"),
        (["Forwarded: host=evil.example", "X-Forwarded-Host: a.test"], "hosts"),
    ],
)
def test_fields_that_contradict_each_other_are_400(lines: list[str], what: str) -> None:
    reason = refusal(*lines)
    assert reason.startswith(f"Forwarded and X-Forwarded-* name different {what}: ")
    assert "the proxy must set one of them, and remove the other" in reason


def test_fields_that_agree_complete_each_other() -> None:
    lines = [f'Forwarded: for="[::ffff:{CLIENT}]:1";proto=https', f"X-Forwarded-For: {CLIENT}"]
    assert read(*lines, "X-Forwarded-Host: a.test") == Origin(CLIENT, "https", "a.test")


def test_without_the_fields_the_proxy_is_the_client() -> None:
    assert read("Host: x", "X-Real-IP: 1.2.3.4") == Origin(PROXY)


@pytest.mark.parametrize("text", ["", "1", "127.1", "::1::", "[::1", "::1]", "fe80::1%0", "0x7f.0.0.1", "a"])
def test_other_texts_are_not_addresses(text: str) -> None:
    assert read_address(text) is None


@pytest.mark.parametrize("form", ["X-Forwarded-For: {}", "Forwarded: {}"])
@pytest.mark.parametrize("count", [MAX_PROXIES - 1, MAX_PROXIES, 1000])
def test_a_list_of_trusted_proxies_is_read_up_to_a_limit(form: str, count: int) -> None:
    pair = "for={}" if form.startswith("Forwarded") else "{}"
    nodes = [pair.format(each) for each in (CLIENT, *[PROXY] * count)]
    asked = []

    def trusts(address: str) -> bool:
        asked.append(address)
        return trusted(address)

    headers = headers_of(form.format(",".join(nodes)))
    if count < MAX_PROXIES:
        assert read_forwarded(headers, PROXY, trusts) == Origin(CLIENT)
    else:
        with pytest.raises(HTTPError, match="more than 64 trusted proxies"):
            read_forwarded(headers, PROXY, trusts)
    assert len(asked) == MAX_PROXIES

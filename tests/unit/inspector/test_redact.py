"""Which bytes are shown: heads, received whole or byte by byte, but no secrets and no body."""

import random

import pytest

from reactor.inspector.redact import MAX_LENGTH, HeadRedactor, head_of, show_outgoing

PLAIN = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
SECRET = "c2VjcmV0"
SECRETS = [
    f"Authorization: Basic {SECRET}",
    f"authorization:{SECRET}",
    f"AUTHORIZATION : {SECRET}",
    f"Proxy-Authorization: {SECRET}",
    f"Cookie: a={SECRET}",
    f"X-Authorization-Copy: {SECRET}",
    f"X\x0bAuthorization: {SECRET}",
    f"X-Api-Key: {SECRET}",
    f"X-Auth:\t{SECRET}",
    f"X-Key-Id : {SECRET}",
    f"APIKEY:{SECRET}",
    f"X-CSRF-Token: {SECRET}",
    f"X_Secret_Value: {SECRET}",
    f"Client-Secrets: a, {SECRET}; b",
    f"Sec-WebSocket-Key: {SECRET}",
    f"WWW-Authenticate: x={SECRET}",
    f"Set-Cookie: a={SECRET}; Path=/",
    f"Set-Cookie2: a={SECRET}",
    f"Authorization {SECRET}",
    f"X: y\rAuthorization: {SECRET}",
]

# Targets and values of header fields, in which the secret must be hidden and the rest shown.
PARAMETERS = [
    "/?token={}",
    "/?a=1&token={}",
    "/?token={}&a=1",
    "/?api_key={}",
    "/?X-Amz-Security-Token={}&X-Amz-Date=1",
    "/?client_secret={}",
    "/?AUTH={}",
    "/?sessionCookie={}",
    "/?user[token]={}",
    "/?key/x={}",
    "/?%74oken={}",
    "/?to%6Ben={}",
    "/?%2574oken={}",
    "/?api%5Fke%79={}",
    "/?a=1;token={}",
    "/?token={};a",
    "/?token=a;b={}",
    "/?token==={}",
    "/?a=b=c&b&&token={}",
    "/?next=%2Fx%3Ftoken%3D{}",
    "/?next=%2Fx%3Ftoken%3D{}%26b%3Dc",
    "/?next=https%253A%252F%252Fx%252F%253Ftoken%253D{}",
    "/?a=/?token={}",
    "/x;token={}",
    "/#access_token={}",
    "/?a#token={}",
    "http://x/?token={}",
    "http://auth.example:8080/a:b?token={}",
]
SHOWN = [
    "/monkey?page=2&turkey",
    "/?q=token&page=key",
    "/auth/token/secret",
    "http://keys.example:8080/?a=b",
    "/?tok=a&en=b",
]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_plain_head_is_shown_unchanged(size: int) -> None:
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(PLAIN, size))
    assert text == PLAIN.decode().replace("\r", "\\r").replace("\n", "\\n")


def contains_secret(text: str) -> bool:
    """Return whether a text contains any three characters of the secret."""
    return any(SECRET[start : start + 3] in text for start in range(len(SECRET) - 2))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1000])
@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_never_shown(line: str, size: int) -> None:
    head = f"GET / HTTP/1.1\r\nHost: x\r\n{line}\r\nAccept: */*\r\n\r\n".encode()
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(head, size))
    assert not contains_secret(text)
    assert "[hidden]" in text
    assert "Accept: */*" in text


LINES = {
    "target": "GET {} HTTP/1.1\r\nHost: x\r\n\r\n",
    "Referer": "GET / HTTP/1.1\r\nHost: x\r\nReferer: {}\r\n\r\n",
    "Location": "HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n",
    "Link": "HTTP/1.1 200 OK\r\nLink: <{}>; rel=next\r\n\r\n",
    "Refresh": 'HTTP/1.1 200 OK\r\nRefresh: 0; url="{}"\r\n\r\n',
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1000])
@pytest.mark.parametrize("where", LINES)
@pytest.mark.parametrize("target", PARAMETERS)
def test_the_value_of_a_secret_parameter_is_never_shown(target: str, where: str, size: int) -> None:
    head = LINES[where].format(target.format(SECRET)).encode()
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(head, size))
    assert not contains_secret(text), text
    before, _, after = LINES[where].format(target).partition("{}")
    assert text.startswith(before.partition("=")[0].replace("\r\n", "\\r\\n"))
    assert "[hidden]" in text
    assert text.endswith("\\r\\n\\r\\n")
    if size == 1000 and after.startswith("&"):
        assert "[hidden]" + after.replace("\r\n", "\\r\\n") in text


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("where", LINES)
@pytest.mark.parametrize("target", SHOWN)
def test_other_parameters_and_paths_are_shown(target: str, where: str, size: int) -> None:
    head = LINES[where].format(target).encode()
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(head, size))
    assert text == head.decode().replace("\r", "\\r").replace("\n", "\\n")


@pytest.mark.parametrize("line", ["Authorization: {}", "X: y\rX-Api-Key: {}"])
def test_a_field_in_place_of_the_request_line_is_hidden(line: str) -> None:
    for size in (1, 4, 100):
        shown = HeadRedactor()
        head = f"{line.format(SECRET)}\r\n\r\n".encode()
        assert not contains_secret("".join(shown.show(piece) for piece in pieces(head, size)))


def test_names_of_secrets_in_values_hide_nothing() -> None:
    head = b"GET / HTTP/1.1\r\nVary: Cookie, Authorization\r\nUser-Agent: key/1 (token: x)\r\n\r\n"
    assert HeadRedactor().show(head) == head.decode().replace("\r", "\\r").replace("\n", "\\n")


@pytest.mark.parametrize("line", SECRETS)
@pytest.mark.parametrize("count", range(40, 90, 7))
def test_secrets_of_a_response_are_hidden_even_if_it_is_sent_in_part(line: str, count: int) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: /?token={SECRET}&a=b\r\n{line}\r\nX: y\r\n\r\n".encode()
    assert not contains_secret(show_outgoing(head, count))
    whole = show_outgoing(head, len(head) + 5)
    assert not contains_secret(whole)
    assert "Location: /?token=[hidden]&a=b" in whole
    assert whole.endswith("X: y\\r\\n\\r\\n[5 B of body]")


def test_a_secret_is_never_shown_at_any_chunk_boundary() -> None:
    source = random.Random(4)
    head = f"GET / HTTP/1.1\r\nHost: x\r\n{SECRETS[0]}\r\n{SECRETS[4]}\r\n\r\n".encode() * 3
    head += f"GET /?next=%2F%3Ft%6Fken%3D{SECRET} HTTP/1.1\r\nX-Api-Key: {SECRET}\r\n\r\n".encode() * 3
    for _ in range(500):
        shown, start, text = HeadRedactor(), 0, ""
        while start < len(head):
            step = source.randrange(1, 40)
            text += shown.show(head[start : start + step])
            start += step
        assert not contains_secret(text)


def test_a_continuation_line_is_hidden() -> None:
    head = f"GET / HTTP/1.1\r\nAuthorization: Basic\r\n {SECRET}\r\n\r\n".encode()
    for size in (1, 4, 100):
        shown = HeadRedactor()
        assert SECRET[:3] not in "".join(shown.show(piece) for piece in pieces(head, size))


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "announcement",
    [
        "Content-Length: 6",
        "content-length:006",
        "Content-Length : 6",
        "Content-Length: 0, 6",
        "Content-Length: x",
        "Content-Length:",
        "Transfer-Encoding: chunked",
    ],
)
def test_bytes_after_a_head_with_a_body_are_hidden_until_idle(announcement: str, size: int) -> None:
    head = f"POST /files/a HTTP/1.1\r\nHost: x\r\n{announcement}\r\n\r\n".encode()
    follows = b"secretGET / HTTP/1.1\r\nAuthorization: more\r\n\r\n"
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(head + follows, size))
    assert "sec" not in text
    assert "mor" not in text
    assert " B hidden]" in text
    shown.reset()
    assert shown.show(PLAIN).startswith("GET /echo/hi")


@pytest.mark.parametrize("announcement", ["Content-Length: 0", "Content-Length: 000", "X-Content-Length: 5"])
def test_a_head_without_a_body_hides_nothing(announcement: str) -> None:
    shown = HeadRedactor()
    text = shown.show(f"POST / HTTP/1.1\r\n{announcement}\r\n\r\n".encode() + PLAIN)
    assert "GET /echo/hi" in text


def test_pipelined_heads_are_all_shown() -> None:
    assert HeadRedactor().show(PLAIN * 3).count("GET /echo/hi") == 3


def test_an_overlong_line_is_hidden_and_not_kept() -> None:
    shown = HeadRedactor()
    for _ in range(40):
        text = shown.show(b"a" * 1000)
    assert "a" not in text.replace("[hidden]", "")
    assert len(text) <= MAX_LENGTH


def test_shown_bytes_are_truncated_and_escaped() -> None:
    text = HeadRedactor().show(b"GET /\x00\x1b[31m\xff<b>" + b"x" * 5000)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert text.isascii()
    assert len(text) <= MAX_LENGTH * 4 + 3


def test_the_head_of_a_response_is_shown() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    assert show_outgoing(head_of(head + b"secret"), len(head) + 6) == (
        "HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\n[6 B of body]"
    )


def test_the_sent_part_of_a_head_is_shown() -> None:
    assert show_outgoing(head_of(b"HTTP/1.1 200 OK\r\n\r\nsecret"), 12) == "HTTP/1.1 200"


def test_possible_body_bytes_are_counted() -> None:
    assert show_outgoing(b"", 22) == "[22 B hidden]"

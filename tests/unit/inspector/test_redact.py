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
]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_plain_head_is_shown_unchanged(size: int) -> None:
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(PLAIN, size))
    assert text == PLAIN.decode().replace("\r", "\\r").replace("\n", "\\n")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1000])
@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_never_shown(line: str, size: int) -> None:
    head = f"GET / HTTP/1.1\r\nHost: x\r\n{line}\r\nAccept: */*\r\n\r\n".encode()
    shown = HeadRedactor()
    text = "".join(shown.show(piece) for piece in pieces(head, size))
    assert not any(SECRET[start : start + 3] in text for start in range(len(SECRET) - 2))
    assert "[hidden]" in text
    assert "Accept: */*" in text


def test_a_secret_is_never_shown_at_any_chunk_boundary() -> None:
    source = random.Random(4)
    head = f"GET / HTTP/1.1\r\nHost: x\r\n{SECRETS[0]}\r\n{SECRETS[4]}\r\n\r\n".encode() * 3
    for _ in range(500):
        shown, start, text = HeadRedactor(), 0, ""
        while start < len(head):
            step = source.randrange(1, 40)
            text += shown.show(head[start : start + step])
            start += step
        assert not any(SECRET[place : place + 3] in text for place in range(len(SECRET) - 2))


def test_a_continuation_line_is_hidden() -> None:
    head = f"GET / HTTP/1.1\r\nAuthorization: Basic\r\n {SECRET}\r\n\r\n".encode()
    for size in (1, 4, 100):
        shown = HeadRedactor()
        assert SECRET[:3] not in "".join(shown.show(piece) for piece in pieces(head, size))


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "announcement", ["Content-Length: 6", "content-length:006", "Transfer-Encoding: chunked"]
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

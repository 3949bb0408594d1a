"""Queries and forms: fields, files, and what is refused."""

import sys

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.form import MAX_FIELDS, URLENCODED, Form, FormFile, read_form, read_query
from reactor.http11.multidict import MultiDict

MULTIPART = "multipart/form-data; boundary=x"

Pairs = list[tuple[str, str]]


def part(name: str, content: bytes, filename: str | None = None, line: str = "") -> bytes:
    """Write one part of a form."""
    parameter = "" if filename is None else f'; filename="{filename}"'
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{parameter}\r\n{line}\r\n'
    return head.encode() + content + b"\r\n"


def refusal(content: bytes, content_type: str | None) -> tuple[int, str]:
    with pytest.raises(HTTPError) as caught:
        read_form(content, content_type)
    return caught.value.status, caught.value.reason


FIELDS: list[tuple[str, Pairs]] = [
    ("", []),
    ("a=1", [("a", "1")]),
    ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
    ("a=&b&=c", [("a", ""), ("b", ""), ("", "c")]),
    ("&&a=1&", [("a", "1")]),
    ("a+b=c+d", [("a b", "c d")]),
    ("a%2Bb=%26%3D%25", [("a+b", "&=%")]),
    ("a=b=c", [("a", "b=c")]),
    ("a=1;b=2", [("a", "1;b=2")]),
    ("gr%C3%BCn=%F0%9F%98%80", [("gr\xfcn", "\U0001f600")]),
]


@pytest.mark.parametrize(("text", "pairs"), FIELDS)
def test_a_query_and_an_urlencoded_form_have_the_same_fields(text: str, pairs: Pairs) -> None:
    assert read_query(text) == MultiDict(pairs)
    assert read_form(text.encode(), URLENCODED) == Form(pairs)
    assert read_form(text.encode(), f"{URLENCODED.upper()}; charset=UTF-8") == Form(pairs)


def test_fields_that_are_not_encoded_are_utf8() -> None:
    assert read_form(b"a=\xc3\xa9&b=%zz", URLENCODED) == Form([("a", "\xe9"), ("b", "%zz")])


@pytest.mark.parametrize("text", ["a=%FF", "%FF=a", "a=%ED%A0%80", "a=%C3"])
def test_fields_that_are_not_utf8_are_400(text: str) -> None:
    with pytest.raises(HTTPError) as caught:
        read_query(text)
    assert (caught.value.status, caught.value.reason) == (400, "the query is not valid UTF-8")
    assert refusal(text.encode(), URLENCODED) == (400, "the form is not valid UTF-8")


def test_a_percent_sign_that_begins_no_encoding_takes_no_call() -> None:
    calls: list[str] = []
    sys.setprofile(lambda frame, event, function: calls.append(event))
    try:
        form = read_form(b"a=" + b"%" * 10_000, URLENCODED)
    finally:
        sys.setprofile(None)
    assert form["a"] == "%" * 10_000
    assert len(calls) < 1000


def test_a_form_that_is_not_utf8_is_400() -> None:
    assert refusal(b"a=\xff", URLENCODED) == (400, "the form is not valid UTF-8")


def test_the_number_of_fields_is_limited() -> None:
    allowed = "&".join(["a"] * MAX_FIELDS)
    assert len(read_query(allowed).get_all("a")) == MAX_FIELDS
    assert len(read_form(allowed.encode(), URLENCODED).get_all("a")) == MAX_FIELDS
    with pytest.raises(HTTPError) as caught:
        read_query(allowed + "&a")
    assert (caught.value.status, caught.value.reason) == (400, "too many fields in the query (limit: 1000)")
    assert refusal(allowed.encode() + b"&a", URLENCODED) == (413, "too many fields in the form (limit: 1000)")
    parts = part("a", b"") * (MAX_FIELDS + 1)
    assert refusal(parts + b"--x--", MULTIPART) == (413, "too many parts in the form (limit: 1000)")


def test_a_multipart_form_has_fields_and_files() -> None:
    written = [
        part("a", b"\xc3\xa9\r\n"),
        part("f", b"\0\xff\r\n", "../a.bin", "Content-Type: image/png\r\n"),
        part("a", b""),
        part("f", b"", "empty.txt"),
        part("g", b"c", ""),
        part("none", b"", "", "Content-Type: application/octet-stream\r\n"),
    ]
    form = read_form(b"".join(written) + b"--x--\r\n", MULTIPART)
    assert form == Form(
        [("a", "\xe9\r\n"), ("a", "")],
        [
            ("f", FormFile("../a.bin", "image/png", b"\0\xff\r\n")),
            ("f", FormFile("empty.txt", "text/plain", b"")),
            ("g", FormFile("", "text/plain", b"c")),
        ],
    )
    assert [file.filename for file in form.files.get_all("f")] == ["../a.bin", "empty.txt"]
    assert (form.files["f"].content, list(form.files)) == (b"\0\xff\r\n", ["f", "g"])
    assert (form.files.get("none"), form.files.get_all("none")) == (None, [])


def test_forms_with_other_files_differ() -> None:
    file = FormFile("a", "b", b"c")
    assert Form([("a", "1")], [("f", file)]) != Form([("a", "1")])
    assert Form([("a", "1")]) == {"a": "1"}
    assert Form([("a", "1")]) != Form([("a", "2")])


def test_the_repr_of_a_file_does_not_show_its_content() -> None:
    assert repr(FormFile("a\n", "text/plain", bytes(10))) == r"<FormFile 'a\n' text/plain, 10 bytes>"


@pytest.mark.parametrize(
    ("content", "line", "expected"),
    [
        (b"\xe9", "Content-Type: text/plain; charset=iso-8859-1\r\n", "\xe9"),
        (b"\xe9", "", (400, "field 'a' is not valid utf-8: byte 0")),
        (
            b"\xe9",
            "Content-Type: text/plain; charset=hex\r\n",
            (415, "unsupported charset: 'hex' (expected utf-8)"),
        ),
    ],
)
def test_a_field_has_its_own_charset(content: bytes, line: str, expected: object) -> None:
    written = part("a", content, line=line) + b"--x--"
    if isinstance(expected, str):
        assert read_form(written, MULTIPART)["a"] == expected
    else:
        assert refusal(written, MULTIPART) == expected


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", None, 415),
        (b"a=1", "", 415),
        (b"a=1", "text/plain", 415),
        (b"{}", "application/json", 415),
        (b"a=1", f"{URLENCODED}, {URLENCODED}", 415),
        (b"", "multipart/mixed; boundary=x", 415),
        (b"", "multipart/form-data", 400),
        (b"", MULTIPART, 400),
        (part("a", b"1"), MULTIPART, 400),
        (b"--x\r\n\r\na\r\n--x--", MULTIPART, 400),
    ],
)
def test_anything_else_is_refused(content: bytes, content_type: str | None, status: int) -> None:
    found, reason = refusal(content, content_type)
    assert found == status
    assert status == 400 or reason.endswith(
        "(expected Content-Type: application/x-www-form-urlencoded or multipart/form-data)"
    )

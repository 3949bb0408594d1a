"""The form reader: input delivered whole, byte by byte and cut at every position; malformed forms."""

import re
from collections.abc import Iterable

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.multipart import (
    MAX_HEAD_SIZE,
    MAX_PADDING,
    MAX_PARTS,
    FormReader,
    FormState,
    Part,
    read_boundary,
)

Read = list[tuple[Part, bytes]]


def head(name: str = "file", filename: str | None = "f") -> bytes:
    parameter = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{parameter}\r\n\r\n'.encode()


def form(*parts: bytes, boundary: bytes = b"x") -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


def read(pieces: Iterable[bytes], boundary: bytes = b"x") -> Read:
    """Parse a complete form."""
    reader = FormReader(boundary)
    parts: list[tuple[Part, bytearray]] = []
    for piece in pieces:
        for each in reader.feed(piece):
            if isinstance(each, Part):
                parts.append((each, bytearray()))
            else:
                assert each
                parts[-1][1].extend(each)
    reader.end()
    return [(part, bytes(content)) for part, content in parts]


def outcome(pieces: Iterable[bytes], boundary: bytes = b"x") -> Read | int:
    try:
        return read(pieces, boundary)
    except HTTPError as error:
        return error.status if error.reason.isprintable() else 500


def every_way(data: bytes, boundary: bytes = b"x") -> Read | int:
    """Deliver data whole, byte by byte and cut at every position; return the outcome, always the same."""
    whole = outcome([data], boundary)
    assert outcome((data[i : i + 1] for i in range(len(data))), boundary) == whole
    for cut in range(len(data)):
        assert outcome([data[:cut], data[cut:]], boundary) == whole, cut
    return whole


FILE = Part("file", "f")

CONTENTS = {
    "empty": b"",
    "short": b"abc",
    "a line end": b"\r\n",
    "line ends": b"\r\n\r\n\r\n",
    "carriage returns": b"\r\r\r",
    "a beginning of a boundary": b"\r\n--",
    "most of a boundary": b"abc\r\n-\r\n--\r\n--y\r\n",
    "a boundary without its line": b"-x--x--\n--x",
    "every octet": bytes(range(256)),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_file_content_is_unchanged(content: bytes) -> None:
    assert every_way(form(head() + content)) == [(FILE, content)]
    assert every_way(form(head() + content, head("b", None) + content)) == [
        (FILE, content),
        (Part("b", None), content),
    ]


@pytest.mark.parametrize(
    "boundary", [b"a", b"-" * 70, b"----WebKitFormBoundary7MA4YWxkTrZu0gW", b"a b:c/d?e=(f)"]
)
def test_valid_boundaries_are_accepted(boundary: bytes) -> None:
    content = b"abc\r\n--" + boundary[:-1]
    assert every_way(form(head() + content, boundary=boundary), boundary) == [(FILE, content)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a preamble\r\n" + form(head() + b"c"), id="a preamble"),
        pytest.param(b"\r\n" + form(head() + b"c"), id="an empty preamble"),
        pytest.param(form(head() + b"c") + b"an epilogue --x\r\n--x\r\n", id="an epilogue"),
        pytest.param(form(head() + b"c")[:-2], id="no line end at its end"),
        pytest.param(b"--x \t\r\n" + head() + b"c\r\n--x-- \r\n", id="white space after a boundary"),
        pytest.param(b"--x\r\nExpires: 0\r\n" + head() + b"c\r\n--x--", id="another field"),
        pytest.param(b"--x\r\nX: 1\r\n" + head()[:-2] + b"Y: 2\r\n\r\nc\r\n--x--", id="fields around it"),
    ],
)
def test_optional_parts_of_the_grammar_are_accepted(data: bytes) -> None:
    assert every_way(data) == [(FILE, b"c")]


def test_empty_content_needs_no_line_end_of_its_own() -> None:
    assert every_way(b"--x\r\n" + head() + b"--x\r\n" + head() + b"c\r\n--x--") == [(FILE, b""), (FILE, b"c")]
    assert every_way(b"--x\r\n" + head() + b"--x--\r\n") == [(FILE, b"")]
    assert every_way(b"--x\r\n" + head() + b"--y\r\n--x--\r\n") == [(FILE, b"--y")]


def test_a_form_without_parts_is_valid() -> None:
    assert every_way(b"--x--\r\n") == []


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        ("f.txt", "f.txt"),
        ("", ""),
        ("gr\u00fcn \U0001f600", "gr\u00fcn \U0001f600"),
        ("%22><img src=x onerror=alert(1)>.txt", '"><img src=x onerror=alert(1)>.txt'),
        (r"\"quoted\"", '"quoted"'),
        (r"C:\dir\f", r"C:\dir\f"),
        ("a; name=b", "a; name=b"),
        ("a%0D%0Ab", "a\r\nb"),
        ("100%20", "100%20"),
    ],
)
def test_file_names_are_parsed(written: str, filename: str) -> None:
    assert every_way(form(head(filename=written) + b"c")) == [(Part("file", filename), b"c")]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('content-disposition:FORM-DATA;name="a";filename="b"', Part("a", "b")),
        ("Content-Disposition: form-data; name=a; filename=b", Part("a", "b")),
        ("Content-Disposition: form-data;; name=a ; ;\tfilename=b; ;", Part("a", "b")),
        ('Content-Disposition: form-data; FileName="b"; NAME="a"', Part("a", "b")),
        ('Content-Disposition: form-data; name="a"; name="c"', Part("a", None)),
        ("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: BINARY", Part("a", None)),
        ("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: 7bit", Part("a", None)),
        ("Content-Transfer-Encoding:8Bit \r\nContent-Disposition: form-data; name=a", Part("a", None)),
        (
            "Content-Disposition: form-data; name=a; filename=b\r\nContent-Type: multipart/related",
            Part("a", "b", "multipart/related"),
        ),
    ],
)
def test_part_heads_are_parsed(line: str, part: Part) -> None:
    assert every_way(form(line.encode() + b"\r\n\r\nc")) == [(part, b"c")]


@pytest.mark.parametrize(
    ("written", "filename"),
    [
        ("filename*=utf-8''b", "b"),
        ("filename*=UTF-8''%e2%82%AC%20rates.txt", "\u20ac rates.txt"),
        ("filename*=UTF-8'de-CH'gr%C3%BCn", "gr\u00fcn"),
        ("filename*=iso-8859-1'en'%A3", "\u00a3"),
        ("FILENAME*=ISO-8859-1''gr%FCn", "gr\u00fcn"),
        ("filename=a; filename*=UTF-8''b", "b"),
        ("filename*=UTF-8''b; filename=\"a\"", "b"),
        ("filename=\"\xff\"; filename*=UTF-8''%C3%BF", "\xff"),  # bytes that are not UTF-8
        ("filename*=UTF-8''b; filename*=UTF-8''c", "b"),
        ("filename*=UTF-8''!#$&+-.^_`|~", "!#$&+-.^_`|~"),
        ("filename*=UTF-8''%22%2F%5C", '"/\\'),
        ("filename*=UTF-8''a%2541", "a%41"),
        ("filename*=UTF-8''", ""),
        ("filename*=UTF-8''b; filename*0=c", "b"),
    ],
)
def test_an_extended_file_name_takes_precedence(written: str, filename: str) -> None:
    line = f"Content-Disposition: form-data; name=a; {written}\r\n\r\nc".encode("latin-1")
    assert every_way(form(line)) == [(Part("a", filename), b"c")]


@pytest.mark.parametrize(
    "written",
    [
        "b",
        "''b",
        "utf-8'b",
        "utf-8b",
        "utf-16''b",
        "windows-1252''b",
        "UTF-8''%",
        "UTF-8''%4",
        "UTF-8''%zz",
        "UTF-8''%FF",
        "UTF-8''%C3",
        "UTF-8''%C0%AF",
        "UTF-8''%ED%A0%80",
        "UTF-8''a'b",
        "UTF-8''a*b",
        "UTF-8''a/b",
        "UTF-8''gr\u00fcn",
        "UTF-8'e n'b",
        "\"UTF-8''b\"",
        "",
    ],
)
@pytest.mark.parametrize("other", ["", "; filename=a"])
def test_an_invalid_extended_file_name_is_400(written: str, other: str) -> None:
    line = f"Content-Disposition: form-data; name=a{other}; filename*={written}\r\n\r\nc".encode()
    assert every_way(form(head() + b"c", line)) == 400


@pytest.mark.parametrize("section", ["filename*0=a", "filename*0*=UTF-8''a; filename*1=b", "filename*1=a"])
def test_a_file_name_in_sections_is_400(section: str) -> None:
    assert every_way(form(f"Content-Disposition: form-data; name=a; {section}\r\n\r\nc".encode())) == 400


@pytest.mark.parametrize(
    "value", ["base64", "BASE64", "quoted-printable", "x-uuencode", "", "binary, base64"]
)
@pytest.mark.parametrize("filename", ["f", None])
def test_an_encoded_part_is_415(value: str, filename: str | None) -> None:
    line = f"Content-Transfer-Encoding: {value}\r\n".encode()
    assert every_way(form(head() + b"c", line + head(filename=filename) + b"YQ==")) == 415


def test_repeated_content_transfer_encodings_are_415() -> None:
    lines = b"Content-Transfer-Encoding: binary\r\nContent-Transfer-Encoding: base64\r\n"
    assert every_way(form(lines + head() + b"YQ==")) == 415


def test_files_in_a_nested_multipart_are_415() -> None:
    line = b"Content-Type: Multipart/Mixed; boundary=y\r\n"
    part = b"--y\r\nContent-Disposition: file; filename=f\r\n\r\nc\r\n--y--"
    assert every_way(form(head() + b"c", line + head(filename=None) + part)) == 415


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            "Content-Disposition: form-data; name=a; filename*=latin1''b",
            "invalid filename* in the form: \"latin1''b\" (example: UTF-8''na%C3%AFve.txt)",
        ),
        (
            "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
            "unsupported Content-Transfer-Encoding in the form: 'base64' (expected 7bit, 8bit or binary)",
        ),
        (
            "Content-Disposition: attachment; name=a",
            "missing or invalid Content-Disposition in the form: 'attachment; name=a'"
            " (expected form-data with a name)",
        ),
        (
            "",
            "missing or invalid Content-Disposition in the form: '' (expected form-data with a name)",
        ),
        (
            "Content-Disposition: form-data; name=a b",
            "malformed parameters: '; name=a b' (expected ; NAME=VALUE or ; NAME=\"VALUE\")",
        ),
    ],
)
def test_a_refusal_has_the_value_and_a_remedy(lines: str, reason: str) -> None:
    with pytest.raises(HTTPError) as caught:
        read([form(lines.encode() + b"\r\n\r\nc")])
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"abc", id="no boundary"),
        pytest.param(b"--x", id="half a boundary"),
        pytest.param(form(head() + b"c")[:-4], id="no last boundary"),
        pytest.param(form(head() + b"c")[:-3], id="half a last boundary"),
        pytest.param(b"--x\r\n" + head() + b"c", id="content without an end"),
        pytest.param(b"--x\r\n" + head()[:-1], id="a head without an end"),
        pytest.param(b"--xy\r\n" + head() + b"\r\n--x--", id="a longer boundary"),
        pytest.param(b"--x-\r\n" + head() + b"\r\n--x--", id="one dash"),
        pytest.param(b"--x -\r\n" + head() + b"\r\n--x--", id="one dash after a space"),
        pytest.param(b"--x --\r\n", id="dashes after a space"),
        pytest.param(b"--x\n" + head() + b"\r\n--x--", id="a bare line feed"),
        pytest.param(b"--x\r\n\r\nc\r\n--x--", id="an empty head"),
        pytest.param(b"--x\r\nContent-Type: text/plain\r\n\r\nc\r\n--x--", id="no Content-Disposition"),
        pytest.param(b"--x\r\nContent-Disposition: form-data\r\n\r\nc\r\n--x--", id="no name"),
        pytest.param(b"--x\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--x--", id="not of a form"),
        pytest.param(b"--x\r\n" + head()[:-2] + head() + b"c\r\n--x--", id="two Content-Dispositions"),
        pytest.param(form(head(filename='a"b') + b"c"), id="a quote in a name"),
        pytest.param(form(b'Content-Disposition: form-data; name="a\r\n\r\n'), id="an open quote"),
        pytest.param(form(b'Content-Disposition: form-data; name="\xff"\r\n\r\n'), id="not UTF-8"),
        pytest.param(form(b"Content-Disposition : form-data; name=a\r\n\r\n"), id="a space before a colon"),
        pytest.param(form(b"Content-Disposition: form-data;\r\n name=a\r\n\r\n"), id="a folded line"),
    ],
)
def test_a_malformed_form_is_400(data: bytes) -> None:
    assert every_way(data) == 400


def test_the_length_of_a_part_head_is_limited() -> None:
    fits = b"X: " + b"y" * (MAX_HEAD_SIZE - len(head()) - 5 + 2) + b"\r\n" + head()
    for data, expected in ((fits, [(FILE, b"")]), (b"X" + fits, 400)):
        written = form(data)
        assert outcome([written]) == expected
        assert outcome(written[i : i + 1] for i in range(len(written))) == expected


def test_white_space_after_a_boundary_is_limited() -> None:
    for count, expected in ((MAX_PADDING, [(FILE, b"")]), (MAX_PADDING + 1, 400)):
        written = b"--x" + b" " * count + b"\r\n" + head() + b"\r\n--x--"
        assert every_way(written) == expected
    for data in (b" " * 1000, b" " * MAX_PADDING + b"\rx", b"\rx"):
        assert outcome([b"--x" + data]) == 400


def test_an_endless_part_head_is_refused() -> None:
    reader = FormReader(b"x")
    assert list(reader.feed(b"--x\r\n" + bytes(MAX_HEAD_SIZE - 10))) == []
    with pytest.raises(HTTPError):
        list(reader.feed(bytes(20)))


def test_the_number_of_parts_is_limited() -> None:
    assert len(read([form(*[head()] * MAX_PARTS)])) == MAX_PARTS
    assert outcome([form(*[head()] * (MAX_PARTS + 1))]) == 413


def test_file_content_is_passed_on_as_it_arrives() -> None:
    reader = FormReader(b"x")
    list(reader.feed(b"--x\r\n" + head()))
    for _ in range(3):
        assert list(reader.feed(b"a" * 100_000)) == [b"a" * 100_000]
    assert list(reader.feed(b"a\r\n--")) == [b"a"]  # the rest may begin a boundary
    assert list(reader.feed(b"a")) == [b"\r\n--a"]
    assert list(reader.feed(b"\r\n--x--")) == []
    assert reader.state is FormState.EPILOGUE


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=x", b"x"),
        ("Multipart/Form-Data;BOUNDARY=x", b"x"),
        ('multipart/form-data; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/form-data ; boundary=" + "a" * 70, b"a" * 70),
        ("multipart/form-data; ;; boundary=x;", b"x"),
    ],
)
def test_the_boundary_is_read_from_content_type(content_type: str, boundary: bytes) -> None:
    assert read_boundary(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=a{b",
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=a b",
    ],
)
def test_a_content_type_with_an_invalid_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(HTTPError) as caught:
        read_boundary(content_type)
    assert caught.value.status == 400


def test_the_states_match_the_table() -> None:
    from reactor.http11 import multipart

    table = re.findall(r"^    ([A-Z]+) ", multipart.__doc__ or "", re.MULTILINE)
    assert table == [state.name for state in FormState]


def test_what_follows_the_form_is_not_kept() -> None:
    reader = FormReader(b"x")
    assert len(list(reader.feed(form(head() + b"c")))) == 2
    for _ in range(10):
        assert list(reader.feed(bytes(1000))) == []
        assert not reader._buffer
    reader.end()

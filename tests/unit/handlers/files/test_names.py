"""Names of new files: numbered names, and characters that are refused when a file is stored."""

import json
import os
import unicodedata

import pytest

from reactor import handlers
from reactor.handlers.files.names import find_refused_character, numbered
from reactor.handlers.files.paths import MAX_NAME_LENGTH
from reactor.handlers.files.store import Store
from reactor.http11.errors import quote
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, request
from tests.unit.http11.test_multipart import form, head

REFUSED = [*map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))]
SENT = ["\x01", "\n", "\r", "\t", "\x1b", "\x7f", "\x80", "\x9b", "\u202a", "\u202e", "\u2066", "\u2069"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "a ({})"),
        ("a.txt", "a ({}).txt"),
        ("a (2).txt", "a (2) ({}).txt"),
        ("archive.tar.gz", "archive.tar ({}).gz"),
        (".profile", ".profile ({})"),
        (".config.json", ".config ({}).json"),
        ("a.", "a. ({})"),
        ("Dr. Smith", "Dr. Smith ({})"),
        ("v1.2 final", "v1.2 final ({})"),
        ("a.12345678901234567890", "a.12345678901234567890 ({})"),
        ("gr\u00fcn.\u65e5\u672c", "gr\u00fcn ({}).\u65e5\u672c"),
        ("a.txt ", "a.txt  ({})"),
    ],
)
def test_a_number_is_added_before_the_extension(name: str, expected: str) -> None:
    assert numbered(name, 1) == name
    assert [numbered(name, number) for number in (2, 1000)] == [expected.format(2), expected.format(1000)]


@pytest.mark.parametrize("character", ["n", "\u00e9", "\u65e5", "\U0001f600"])
@pytest.mark.parametrize("extension", ["", ".txt", ".\u65e5\u672c"])
@pytest.mark.parametrize("number", [2, 1000])
def test_a_long_name_is_shortened_between_characters(character: str, extension: str, number: int) -> None:
    for spare in range(5):
        room = MAX_NAME_LENGTH - spare - len(extension.encode())
        stem = character * (room // len(character.encode()))
        found = numbered(stem + extension, number)
        suffix = f" ({number}){extension}"
        assert found.endswith(suffix)
        assert set(found.removesuffix(suffix)) == {character}
        fits = len((stem + suffix).encode()) <= MAX_NAME_LENGTH
        least = MAX_NAME_LENGTH - len(character.encode())
        assert found == stem + suffix if fits else least < len(found.encode()) <= MAX_NAME_LENGTH


def test_control_characters_and_bidirectional_overrides_are_refused() -> None:
    text = "".join(map(chr, range(0x110000)))
    found, position = [], 0
    while match := find_refused_character(text, position):
        found.append(match[0])
        position = match.end()
    assert found == REFUSED
    assert {each for each in text if unicodedata.category(each) == "Cc"} < set(REFUSED)


def refusal(character: str) -> bytes:
    name = f"a{character}.txt"
    return f"invalid file name: {quote(name)} (remove the character U+{ord(character):04X})\n".encode()


def in_url(character: str) -> str:
    return "a" + "".join(f"%{byte:02x}" for byte in character.encode()) + ".txt"


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("directory", ["", "below/"])
@pytest.mark.parametrize("character", SENT, ids=ascii)
def test_such_a_name_is_not_stored(
    shared: Shared, client: Client, method: str, directory: str, character: str
) -> None:
    path = f"/files/{directory}{in_url(character)}"
    answer = request(client, method, path, "Content-Length: 1", content=b"x")
    assert (answer.status, answer.content) == (400, refusal(character))
    shared.assert_untouched()


@pytest.mark.parametrize("complete", ["?0", "?1"])
def test_such_a_name_is_not_stored_by_a_resumable_upload(shared: Shared, store: Store, complete: str) -> None:
    with Harness(handlers.build(store, resumable=1000)) as server:
        lines = ("Content-Length: 1", f"Upload-Complete: {complete}")
        answer = request(server.connect(), "PUT", f"/files/{in_url(SENT[0])}", *lines, content=b"x")
        assert (answer.status, answer.content) == (400, refusal(SENT[0]))
        shared.assert_untouched()


@pytest.mark.parametrize("character", SENT, ids=ascii)
def test_such_a_name_is_not_stored_by_a_form(shared: Shared, client: Client, character: str) -> None:
    encoded = in_url(character)
    content = form(f"Content-Disposition: form-data; name=f; filename*=UTF-8''{encoded}\r\n\r\nx".encode())
    lines = ("Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(content)}")
    answer = request(client, "POST", "/files/", *lines, content=content)
    assert (answer.status, answer.content) == (400, refusal(character))
    shared.assert_untouched()


@pytest.mark.parametrize(("written", "code"), [("a%0D%0Ab", 0x0D), ("a%0Ab", 0x0A), ("a\x85b", 0x85)])
def test_a_browser_that_escapes_a_line_end_gets_a_reason(client: Client, written: str, code: int) -> None:
    content = form(head(filename=written) + b"x")
    lines = ("Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(content)}")
    answer = request(client, "POST", "/files/", *lines, content=content)
    assert answer.status == 400
    assert answer.content.endswith(b"(remove the character U+%04X)\n" % code)


@pytest.mark.parametrize("character", SENT, ids=ascii)
def test_an_existing_file_of_such_a_name_is_listed_and_downloaded(
    shared: Shared, client: Client, character: str
) -> None:
    (shared.path / f"a{character}.txt").write_bytes(b"old")
    assert client.get(f"/files/{in_url(character)}").content == b"old"
    listing = json.loads(request(client, "GET", "/files/", "Accept: application/json").content)
    assert f"a{character}.txt" in [entry["name"] for entry in listing["entries"]]
    assert request(client, "PUT", f"/files/{in_url(character)}", "Content-Length: 0").status == 400
    assert (shared.path / f"a{character}.txt").read_bytes() == b"old"


def test_a_file_can_be_stored_in_a_directory_of_such_a_name(shared: Shared, client: Client) -> None:
    os.mkdir(shared.path / "a\x01.txt")
    path = f"/files/{in_url(SENT[0])}"
    assert request(client, "PUT", f"{path}/new", "Content-Length: 0").status == 201
    content = form(head(filename="other"))
    lines = ("Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(content)}")
    assert request(client, "POST", f"{path}/", *lines, content=content).status == 303
    assert {each.name for each in (shared.path / "a\x01.txt").iterdir()} == {"new", "other"}


def test_an_existing_file_of_such_a_name_can_be_deleted(shared: Shared, store: Store) -> None:
    (shared.path / "a\x01.txt").write_bytes(b"old")
    with Harness(handlers.build(store, allow_delete=True)) as server:
        assert request(server.connect(), "DELETE", f"/files/{in_url(SENT[0])}").status == 204
    shared.assert_untouched()

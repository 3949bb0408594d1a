"""Form uploads to a directory: either all files are stored or none."""

import logging
import re
import resource
from contextlib import closing
from pathlib import Path

import pytest

from reactor import handlers
from reactor.handlers.files.forms import MAX_FILES
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import chunks, in_pieces
from tests.unit.handlers.files.shared import Shared, open_descriptors, request
from tests.unit.http11.test_multipart import form, head

FORM = "Content-Type: multipart/form-data; boundary=x"
ABC = form(head(filename="a") + b"first", head("note", None) + b"no file", head(filename="b") + b"second")


def submit(client: Client, path: str, content: bytes, *lines: str) -> Answer:
    lines = (FORM, f"Content-Length: {len(content)}", *lines)
    return request(client, "POST", path, *lines, content=content)


@pytest.mark.parametrize(
    ("line", "status"), [("Content-Range: bytes 0-9/90", 400), ("Content-Encoding: gzip", 415)]
)
def test_a_part_of_a_form_or_an_encoded_form_is_refused(
    shared: Shared, client: Client, line: str, status: int
) -> None:
    assert submit(client, "/files/", ABC, line).status == status
    shared.assert_untouched()


@pytest.mark.parametrize("path", ["/files/", "/files/below/"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_files_of_a_form_are_stored(shared: Shared, client: Client, path: str, size: int) -> None:
    data = f"POST {path} HTTP/1.1\r\nHost: test\r\n{FORM}\r\nContent-Length: {len(ABC)}\r\n\r\n".encode()
    for piece in in_pieces(data + ABC, size):
        client.send(piece)
    answer = client.assert_responds(303)
    assert (answer.headers["location"], answer.content) == ("./", b"")
    place = path.removeprefix("/files/")
    assert shared.files() == {**shared.original_files, f"{place}a": b"first", f"{place}b": b"second"}


def test_a_form_may_be_chunked(shared: Shared, client: Client) -> None:
    head = f"POST /files/ HTTP/1.1\r\nHost: test\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    client.send(head + chunks(ABC[:50], ABC[50:]))
    client.assert_responds(303)
    assert (shared.path / "b").read_bytes() == b"second"


def test_no_file_is_stored_before_the_form_is_complete(shared: Shared, client: Client) -> None:
    data = f"POST /files/ HTTP/1.1\r\nHost: test\r\n{FORM}\r\nContent-Length: {len(ABC)}\r\n\r\n".encode()
    client.send(data + ABC[:-5])
    assert not {"a", "b"} & set(shared.files())
    client.send(ABC[-5:])
    client.assert_responds(303)
    assert {"a", "b"} <= set(shared.files())


@pytest.mark.parametrize("cut", range(0, len(ABC), 9))
def test_an_aborted_form_leaves_nothing(shared: Shared, server: Harness, cut: int) -> None:
    before = open_descriptors()
    client = server.connect()
    data = f"POST /files/ HTTP/1.1\r\nHost: test\r\n{FORM}\r\nContent-Length: {len(ABC)}\r\n\r\n".encode()
    client.send(data + ABC[:cut])
    client.close()
    assert open_descriptors() == before
    shared.assert_untouched()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(ABC[:-4], 400, id="no last boundary"),
        pytest.param(ABC[:-4] + b"yz\r\n", 400, id="a malformed boundary at its end"),
    ],
)
def test_a_refused_form_leaves_nothing(shared: Shared, server: Harness, content: bytes, status: int) -> None:
    before = open_descriptors()
    client = server.connect()
    answer = submit(client, "/files/", content)
    assert answer.status == status
    assert len(answer.content.splitlines()) == 1
    client.close()
    assert open_descriptors() == before
    shared.assert_untouched()


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("..", "invalid file name: '..' (this name is reserved)"),
        (".", "invalid file name: '.' (this name is reserved)"),
        ("x/..", "invalid file name: '..' (this name is reserved)"),
        (".hidden", "invalid file name: '.hidden' (--hidden allows names that begin with a dot)"),
        ("b/", "missing file name, or empty path segment (expected NAME or DIRECTORY/NAME)"),
        ("/", "missing file name, or empty path segment (expected NAME or DIRECTORY/NAME)"),
        ("n" * 256, "file name too long: 256 bytes (limit: 255)"),
        ("\u65e5" * 86, "file name too long: 258 bytes (limit: 255)"),
        ("a\x85b", r"invalid file name: 'a\x85b' (remove the character U+0085)"),
        ("a%0D%0Ab", r"invalid file name: 'a\r\nb' (remove the character U+000D)"),
        ("\u202etxt.exe", r"invalid file name: '\u202etxt.exe' (remove the character U+202E)"),
    ],
    ids=lambda text: ascii(text)[:30],
)
@pytest.mark.parametrize("path", ["/files/", "/files/below/"])
def test_a_form_with_an_invalid_name_is_400_with_a_reason(
    shared: Shared, server: Harness, path: str, filename: str, reason: str
) -> None:
    before = open_descriptors()
    client = server.connect()
    answer = submit(client, path, form(head(filename="a") + b"c", head(filename=filename) + b"c"))
    assert (answer.status, answer.content.decode()) == (400, f"{reason}\n")
    client.close()
    assert open_descriptors() == before
    shared.assert_untouched()


@pytest.mark.parametrize("filename", ["..", ".", f"{TEMPORARY_PREFIX}1-1"])
def test_with_hidden_files_reserved_names_are_still_invalid(
    shared: Shared, hidden_store: Store, filename: str
) -> None:
    with Harness(store=hidden_store) as server:
        answer = submit(server.connect(), "/files/", form(head(filename=filename) + b"c"))
        assert (answer.status, answer.content) == (
            400,
            f"invalid file name: '{filename}' (this name is reserved)\n".encode(),
        )
    shared.assert_untouched()


def test_a_chosen_file_without_a_name_is_refused_but_no_file_chosen_is_not(
    shared: Shared, server: Harness
) -> None:
    nothing = head("other", "")
    content = form(head(filename="a") + b"c", nothing + b"lost")
    answer = submit(server.connect(), "/files/", content)
    reason = b'missing file name: a file of the form has filename=""\n'
    assert (answer.status, answer.content) == (400, reason)
    shared.assert_untouched()
    assert submit(server.connect(), "/files/", form(nothing, head(filename="a") + b"c")).status == 303
    assert shared.files() == {**shared.original_files, "a": b"c"}


@pytest.mark.parametrize("filename", ["../../a", "/etc/a", "C:\\\\dir\\a", "..\\a", "below/a", "x/../a"])
def test_only_the_last_component_of_a_name_is_used(shared: Shared, client: Client, filename: str) -> None:
    assert submit(client, "/files/", form(head(filename=filename) + b"c")).status == 303
    assert shared.files() == {**shared.original_files, "a": b"c"}
    assert not (shared.outside / "a").exists()


def test_special_characters_in_names_are_kept(shared: Shared, client: Client) -> None:
    name = '"><img src=x onerror=alert(1)>.txt'
    assert submit(client, "/files/", form(head(filename=name.replace('"', "%22")) + b"c")).status == 303
    assert shared.files() == {**shared.original_files, name: b"c"}


@pytest.mark.parametrize(
    "content", [form(), form(head(filename="") + b""), form(head("note", None) + b"text")]
)
def test_a_form_without_files_is_refused(shared: Shared, client: Client, content: bytes) -> None:
    answer = submit(client, "/files/", content)
    assert (answer.status, answer.content) == (400, b"the form contains no file\n")
    shared.assert_untouched()


def test_an_empty_form_is_refused(shared: Shared, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert submit(client, "/files/", b"").status == 400
    assert not [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    shared.assert_untouched()


@pytest.mark.parametrize(
    "line",
    [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://evil.example",
        "Origin: http://test:81",
        "Origin: http://test.evil.example",
        "Origin: null",
        "Origin: test",
    ],
)
def test_a_cross_origin_form_is_403(shared: Shared, client: Client, line: str) -> None:
    assert submit(client, "/files/", ABC, line).status == 403
    shared.assert_untouched()


@pytest.mark.parametrize(
    "line",
    ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://test", "Origin: https://TEST"],
)
def test_a_same_origin_form_is_accepted(client: Client, line: str) -> None:
    assert submit(client, "/files/", ABC, line).status == 303


@pytest.mark.parametrize(
    "path", ["/files/missing/", "/files/file/", "/files//", "/files/../", "/files/link/"]
)
def test_a_form_to_anything_but_a_directory_is_404(shared: Shared, client: Client, path: str) -> None:
    (shared.path / "link").symlink_to(shared.outside)
    assert submit(client, path, ABC).status == 404
    shared.assert_untouched()


@pytest.mark.parametrize(("line", "status"), [("X: 1", 415), ("Content-Type: text/plain", 415)])
def test_anything_but_a_form_is_415(client: Client, line: str, status: int) -> None:
    assert request(client, "POST", "/files/", line, "Content-Length: 1", content=b"x").status == status


def test_a_form_with_too_many_files_is_413_and_leaves_nothing(shared: Shared, store: Store) -> None:
    parts = [head(filename=str(number)) for number in range(MAX_FILES + 1)]
    with Harness(store=store) as server:
        before = open_descriptors()
        client = server.connect()
        assert submit(client, "/files/", form(*parts)).status == 413
        client.close()
        assert open_descriptors() == before
        shared.assert_untouched()
        assert submit(server.connect(), "/files/", form(*parts[1:])).status == 303
    assert len(shared.files()) == len(shared.original_files) + MAX_FILES


def test_too_little_space_is_507_and_leaves_nothing(shared: Shared) -> None:
    store = Store(shared.path, min_free_space=100, free_space=lambda descriptor: 104)
    with Harness(store=store) as server:
        client = server.connect()
        assert submit(client, "/files/", ABC).status == 507
        client.close()
        shared.assert_untouched()
    store.close()


def test_a_read_only_store_refuses_forms(shared: Shared, store: Store) -> None:
    with Harness(handlers.build(store, read_only=True)) as server:
        assert submit(server.connect(), "/files/", ABC).status == 405
    shared.assert_untouched()


def test_put_stores_under_the_same_path_as_post(shared: Shared, server: Harness) -> None:
    def put(path: str, *lines: str) -> int:
        return request(server.connect(), "PUT", path, "Content-Length: 3", *lines, content=b"abc").status

    assert put("/files/new") in (200, 201, 204)
    assert shared.files() == {**shared.original_files, "new": b"abc"}
    assert put("/files/file", "If-None-Match: *") == 412
    assert put("/files/below/") == 404
    assert (shared.path / "file").read_bytes() == b"inside"


def test_the_readme_has_the_limit_of_form_uploads() -> None:
    text = (Path(__file__).parents[4] / "handlers" / "README.md").read_text()
    assert re.findall(r"up to ([0-9]+) files", text) == [str(MAX_FILES)]


def test_forms_reserve_descriptors_for_others(shared: Shared) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = open_descriptors()
    part = 'Content-Disposition: form-data; name="f"; filename="{}"\r\n\r\nx\r\n'
    form = "--x\r\n" + "--x\r\n".join(part.format(number) for number in range(90))
    head = f"POST /files/below/ HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: 100000\r\n\r\n"
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        with closing(Store(shared.path)) as store, Harness(store=store) as server:
            first, second = server.connect(), server.connect()
            first.send((head + form).encode())
            first.assert_open()
            second.send((head + form).encode())
            second.assert_responds(503)
            second.close()
            assert server.connect().get("/files/file").content == b"inside"
            first.close()
            third = server.connect()
            third.send((head + form).encode())
            third.assert_open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_descriptors() <= before + 1
    shared.assert_untouched()

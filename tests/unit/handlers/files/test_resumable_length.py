"""The length of a resumable upload, its limits, and the structured fields of its requests."""

import json
from collections.abc import Iterator

import pytest

from reactor import handlers
from reactor.basic_auth import AuthRouter, digest
from reactor.handlers.files.store import Store
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import chunks
from tests.unit.handlers.files.resumable_client import (
    MAX,
    begin,
    head,
    is_gone,
    leftovers,
    offset,
    patch_lines,
    resumable,
    resume,
    send,
)
from tests.unit.handlers.files.shared import Shared, request

LIMIT = f"max-size={MAX}"
PROBLEM = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    with resumable(shared, max_body=MAX) as harness:
        yield harness


def resume_chunked(client: Client, where: str, offset: int, content: bytes, complete: bool) -> Answer:
    client.send(head("PATCH", where, *patch_lines(offset, complete), "Transfer-Encoding: chunked"))
    client.send(chunks(content))
    (answer,) = client.responses()
    return answer


def assert_inconsistent(answer: Answer) -> None:
    assert (answer.status, answer.headers["upload-complete"]) == (400, "?0")
    assert answer.headers["content-type"] == "application/problem+json"
    details = json.loads(answer.content)
    assert (details["type"], details["title"]) == (PROBLEM, "Inconsistent Upload Length Values")
    assert (details["status"], "bytes" in details["detail"]) == (400, True)


# The length.


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_data_beyond_the_length_ends_the_upload(
    shared: Shared, server: Harness, complete: bool, chunked: bool
) -> None:
    where = begin(server, b"abc", "Upload-Length: 5")
    client = server.connect()
    if chunked:
        answer = resume_chunked(client, where, 3, b"def", complete)
    else:
        answer = send(client, "PATCH", where, b"def", *patch_lines(3, complete))
    assert (answer.status, answer.headers["upload-complete"]) == (413, "?0")
    assert b"Upload-Length of 5 bytes" in answer.content
    assert is_gone(server, where)
    assert resume(server, where, 3, b"de", True).status == 404
    shared.assert_untouched()


@pytest.mark.parametrize("complete", [False, True])
def test_a_chunked_creation_beyond_its_length_leaves_nothing(
    shared: Shared, server: Harness, complete: bool
) -> None:
    client = server.connect()
    lines = [f"Upload-Complete: ?{complete:d}", "Upload-Length: 5", "Transfer-Encoding: chunked"]
    client.send(head("PUT", "/files/new", *lines) + chunks(b"abc", b"def"))
    client.assert_responds(413)
    shared.assert_untouched()


@pytest.mark.parametrize(
    ("length", "content", "complete"),
    [
        ("Upload-Length: 5", b"abcdef", "?0"),
        ("Upload-Length: 5", b"abcdef", "?1"),
        ("Upload-Length: 5", b"abc", "?1"),
        ("Upload-Length: 5", b"", "?1"),
    ],
)
def test_a_creation_with_inconsistent_lengths_is_refused(
    shared: Shared, server: Harness, length: str, content: bytes, complete: str
) -> None:
    for method in ("POST", "PUT"):
        lines = [f"Upload-Complete: {complete}", length]
        assert_inconsistent(send(server.connect(), method, "/files/new", content, *lines))
    shared.assert_untouched()


@pytest.mark.parametrize("first", ["Upload-Length: 5", None])
@pytest.mark.parametrize(
    ("content", "complete", "lines"),
    [
        (b"d", True, []),
        (b"", True, []),
        (b"d", False, ["Upload-Length: 4"]),
        (b"d", False, ["Upload-Length: 6"]),
        (b"d", False, ["Upload-Length: 0"]),
        (b"de", True, ["Upload-Length: 6"]),
        (b"de", True, ["Upload-Length: 4"]),
    ],
)
def test_a_resumed_upload_must_keep_its_length(
    shared: Shared, server: Harness, first: str | None, content: bytes, complete: bool, lines: list[str]
) -> None:
    where = begin(server, b"abc", *([first] if first else []))
    if first is None:  # the length is known from a later request
        assert resume(server, where, 3, b"", False, "Upload-Length: 5").status == 204
    assert request(server.connect(), "HEAD", where).headers["upload-length"] == "5"
    answer = resume(server, where, 3, content, complete, *lines)
    assert_inconsistent(answer)
    assert answer.headers["upload-offset"] == "3"
    assert offset(server, where) == 3
    assert resume(server, where, 3, b"d", False, "Upload-Length: 5").status == 204
    assert resume(server, where, 4, b"e", True, "Upload-Length: 5").status == 201
    assert (shared.path / "new").read_bytes() == b"abcde"


@pytest.mark.parametrize("line", ["Upload-Length: 2", "Upload-Length: 3"])
def test_a_length_below_the_end_of_the_data_is_not_recorded(server: Harness, line: str) -> None:
    where = begin(server, b"abc")
    assert_inconsistent(resume(server, where, 3, b"d", False, line))
    assert "upload-length" not in request(server.connect(), "HEAD", where).headers
    assert resume(server, where, 3, b"def", True).status == 201


def test_an_interrupted_final_part_sets_the_length(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc")
    client = server.connect()
    client.send(head("PATCH", where, *patch_lines(3, True), "Content-Length: 3") + b"d")
    client.close()
    assert request(server.connect(), "HEAD", where).headers["upload-length"] == "6"
    assert_inconsistent(resume(server, where, 4, b"e", True))
    assert resume(server, where, 4, b"ef", True).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdef"


def test_a_chunked_end_before_the_length_keeps_the_data(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc", "Upload-Length: 5")
    answer = resume_chunked(server.connect(), where, 3, b"d", True)
    assert_inconsistent(answer)
    assert answer.headers["upload-offset"] == "4"
    assert resume(server, where, 4, b"e", True).status == 201
    assert (shared.path / "new").read_bytes() == b"abcde"


# Limits.


@pytest.mark.parametrize("path", ["/files/new", "/files/below/new", "/uploads/x"])
def test_options_announces_the_limit(server: Harness, path: str) -> None:
    answer = request(server.connect(), "OPTIONS", path)
    assert (answer.status, answer.headers["upload-limit"]) == (204, LIMIT)
    assert answer.headers.get("accept-patch") == (
        "application/partial-upload" if path == "/uploads/x" else None
    )


@pytest.mark.parametrize("path", ["*", "/user-agent", "/files"])
def test_other_resources_announce_no_limit(server: Harness, path: str) -> None:
    assert "upload-limit" not in request(server.connect(), "OPTIONS", path).headers


def test_limits_are_announced_with_passwords_and_cors_too(store: Store) -> None:
    routes = AuthRouter(auth=digest("a:b"), cors=True)
    with Harness(handlers.build(store, resumable=MAX, routes=routes), max_body=MAX) as server:
        headers = request(server.connect(), "OPTIONS", "/files/new").headers
        assert headers["upload-limit"] == LIMIT
        assert "Upload-Complete" in headers["access-control-allow-headers"]
        client = server.connect()
        client.send(head("PUT", "/files/new", "Authorization: Basic YTpi", f"Content-Length: {MAX + 1}"))
        assert client.assert_responds(413).headers["upload-limit"] == LIMIT


def test_a_limit_of_more_than_15_digits_is_announced_as_the_largest_integer(shared: Shared) -> None:
    with resumable(shared, 10**16) as server:
        limit = request(server.connect(), "OPTIONS", "/files/new").headers["upload-limit"]
        assert limit == f"max-size={'9' * 15}"


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("line", [f"Content-Length: {MAX + 1}", "Transfer-Encoding: chunked"])
def test_a_body_over_the_limit_gets_413_with_it(server: Harness, complete: bool, line: str) -> None:
    where = begin(server)
    for request_head in (
        head("PUT", "/files/other", f"Upload-Complete: ?{complete:d}", line),
        head("PATCH", where, *patch_lines(0, complete), line),
    ):
        client = server.connect()
        client.send(request_head)
        if "chunked" in line:
            client.send(b"%x\r\n" % (MAX + 1))
        assert client.assert_responds(413).headers["upload-limit"] == LIMIT


def test_an_upload_over_the_limit_in_a_chunked_part_is_refused(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc")
    answer = resume_chunked(server.connect(), where, 3, bytes(MAX - 2), False)
    assert (answer.status, answer.headers["upload-limit"]) == (413, LIMIT)
    assert answer.headers["upload-complete"] == "?0"
    assert 3 <= offset(server, where) <= MAX


def test_a_413_of_another_route_has_no_upload_limit(server: Harness) -> None:
    client = server.connect()
    client.send(head("GET", "/user-agent", f"Content-Length: {MAX + 1}"))
    assert "upload-limit" not in client.assert_responds(413).headers


# Structured fields.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_status_of_an_upload_has_all_its_fields(server: Harness, method: str) -> None:
    where = begin(server, b"abc", "Upload-Length: 7")
    answer = request(server.connect(), method, where)
    assert (answer.status, answer.content) == (204, b"")
    assert answer.headers["upload-offset"] == "3"
    assert answer.headers["upload-complete"] == "?0"
    assert answer.headers["upload-length"] == "7"
    assert answer.headers["upload-limit"] == LIMIT
    assert answer.headers["cache-control"] == "no-store"


def test_get_takes_over_from_a_running_request(server: Harness) -> None:
    where = begin(server)
    lost = server.connect()
    lost.send(head("PATCH", where, *patch_lines(0, True), "Content-Length: 6") + b"abc")
    assert request(server.connect(), "GET", where).headers["upload-offset"] == "3"
    lost.send(b"d")
    lost.assert_responds(409)


def test_fields_may_have_parameters(shared: Shared, server: Harness) -> None:
    lines = ["Upload-Complete: ?0;a=1", "Upload-Length: 6; b"]
    answer = send(server.connect(), "PUT", "/files/new", b"abc", *lines)
    assert (answer.status, answer.headers["upload-complete"]) == (201, "?0")
    where = answer.headers["location"]
    assert request(server.connect(), "HEAD", where).headers["upload-length"] == "6"
    lines = ['Upload-Complete: ?1;c="?0, x"', "Upload-Offset: 3;d=:AA==:", "Upload-Length: 6;e=@1"]
    media_type = "Content-Type: Application/Partial-Upload ; x=y"
    assert send(server.connect(), "PATCH", where, b"def", media_type, *lines).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    "values",
    [["-1"], ["6.0"], ['"6"'], ["six"], [""], ["6 6"], ["6", "6"], ["1" * 16], ["6;A"], ["?1"], [":Ng==:"]],
)
def test_a_malformed_length_is_ignored(shared: Shared, server: Harness, values: list[str]) -> None:
    lines = [f"Upload-Length: {value}" for value in values]
    where = begin(server, b"abc", *lines)
    assert "upload-length" not in request(server.connect(), "HEAD", where).headers
    assert resume(server, where, 3, b"defghi", True, *lines).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdefghi"


@pytest.mark.parametrize("values", [["yes"], ["?2"], [""], ["1"], ["?1 1"], ["?1", "?1"], ['"?1"'], ["?1;A"]])
def test_a_creation_with_a_malformed_field_is_an_ordinary_upload(
    shared: Shared, server: Harness, values: list[str]
) -> None:
    lines = [f"Upload-Complete: {value}" for value in values]
    answer = send(server.connect(), "PUT", "/files/new", b"abc", *lines, "Upload-Length: 9")
    assert (answer.status, answer.headers["location"]) == (201, "/files/new")
    assert "upload-complete" not in answer.headers
    assert (shared.path / "new").read_bytes() == b"abc"
    assert leftovers(shared) == 0

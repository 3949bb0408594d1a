"""Resumable uploads: start, interrupt, status, resume, complete, cancel."""

import base64
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from reactor import handlers
from reactor.handlers.files.resumable import MAX_UPLOADS
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.resumable_client import (
    MAX,
    PARTIAL,
    VERSION,
    begin,
    head,
    leftovers,
    offset,
    patch_lines,
    resumable,
    resume,
    send,
    temporary_files,
)
from tests.unit.handlers.files.shared import Shared, open_descriptors, request

CONTENT = os.urandom(300_000)


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    with resumable(shared) as harness:
        yield harness


def test_an_upload_may_span_several_requests(shared: Shared, server: Harness) -> None:
    where = begin(server, CONTENT[:1000])
    assert offset(server, where) == 1000
    assert not (shared.path / "new").exists()
    answer = resume(server, where, 1000, CONTENT[1000:200_000], False)
    assert (answer.status, answer.headers["upload-offset"]) == (204, "200000")
    answer = resume(server, where, 200_000, CONTENT[200_000:], True)
    assert (answer.status, answer.headers["location"]) == (201, "/files/new")
    assert answer.headers["upload-complete"] == "?1"
    assert (shared.path / "new").read_bytes() == CONTENT
    assert request(server.connect(), "HEAD", where).status == 404
    assert leftovers(shared) == 0


@pytest.mark.parametrize(("method", "status"), [("PUT", 204), ("POST", 201)])
def test_the_final_status_tells_created_from_replaced(server: Harness, method: str, status: int) -> None:
    client = server.connect()
    answer = send(client, method, "/files/file", b"abc", "Upload-Complete: ?1")
    assert (answer.status, answer.headers["upload-complete"]) == (status, "?1")
    assert client.get("/files/file").content == b"abc"


@pytest.mark.parametrize("cut", [0, 1, 70_000, len(CONTENT) - 1])
def test_an_interrupted_upload_is_resumed(shared: Shared, server: Harness, cut: int) -> None:
    client = server.connect()
    client.send(head("PUT", "/files/new", "Upload-Complete: ?1", VERSION, f"Content-Length: {len(CONTENT)}"))
    where = client.assert_responds(104).headers["location"]
    client.send(CONTENT[:cut])
    client.close()
    assert not (shared.path / "new").exists()
    assert offset(server, where) == cut
    assert resume(server, where, cut, CONTENT[cut:], True).status == 201
    assert (shared.path / "new").read_bytes() == CONTENT


@pytest.mark.parametrize("line", ["Upload-Complete: ?0", "Upload-Complete: ?1"])
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_an_interrupted_upload_whose_location_is_unknown_is_removed(
    shared: Shared, server: Harness, line: str, version: str
) -> None:
    lines = [line, *([VERSION] if version == "HTTP/1.0" else [])]  # no 104 in either case
    before = open_descriptors()
    client = server.connect()
    client.send(
        head("PUT", "/files/new", *lines, "Content-Length: 10").replace(b"HTTP/1.1", version.encode())
    )
    client.send(b"abc")
    assert leftovers(shared) == 1
    client.close()
    shared.assert_untouched()
    assert open_descriptors() == before


def test_without_the_field_an_upload_is_not_resumable(shared: Shared, server: Harness) -> None:
    client = server.connect()
    client.send(b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    client.assert_open()
    client.close()
    shared.assert_untouched()


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_disabled_resumable_uploads_are_refused(shared: Shared, method: str) -> None:
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        for line in ("?0", "?0;a=1", "?0; a"):
            answer = send(server.connect(), method, "/files/new", b"abc", f"Upload-Complete: {line}")
            assert (answer.status, answer.content) == (
                400,
                b"resumable uploads are disabled: Upload-Complete: ?0 requires --resumable\n",
            )
        shared.assert_untouched()
        answer = send(server.connect(), method, "/files/new", b"abc", "Upload-Complete: ?1", VERSION)
        assert (answer.status, answer.headers["location"]) == (201, "/files/new")
        assert request(server.connect(), "HEAD", "/uploads/x").status == 404
        assert "upload-limit" not in request(server.connect(), "OPTIONS", "/files/new").headers


@pytest.mark.parametrize("limit", [MAX, None])
@pytest.mark.parametrize("values", [["?0", "?0"], ["?0", "?1"], ["?1", "?0"], ["?0, ?0"], ["?0 ;a"], ["?00"]])
def test_a_part_with_a_malformed_field_is_not_stored_as_the_whole(
    shared: Shared, limit: int | None, values: list[str]
) -> None:
    with closing(Store(shared.path)) as store, Harness(handlers.build(store, resumable=limit)) as server:
        lines = [f"Upload-Complete: {value}" for value in values]
        for method in ("POST", "PUT"):
            answer = send(server.connect(), method, "/files/new", b"abc", *lines)
            assert answer.status == 400
            assert b"(expected ?0 or ?1)" in answer.content
        shared.assert_untouched()


# Requests that cannot resume an upload.


def test_a_wrong_offset_is_409_with_the_right_one(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc")
    for wrong in (0, 2, 4, 10**14):
        answer = resume(server, where, wrong, b"xyz", True, "Accept: text/html")
        assert (answer.status, answer.headers["upload-offset"]) == (409, "3")
        assert answer.headers["upload-complete"] == "?0"
        assert "upload-limit" not in answer.headers
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.content) == {
            "type": "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
            "title": "Mismatching Upload Offset",
            "status": 409,
            "detail": f"wrong Upload-Offset: {wrong} (expected 3)",
            "expected-offset": 3,
            "provided-offset": wrong,
        }
    assert resume(server, where, 3, b"def", True).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Upload-Offset: 3", "Upload-Complete: ?1"], 415),
        (["Content-Type: text/plain", "Upload-Offset: 3", "Upload-Complete: ?1"], 415),
        (["Content-Type: application/partial-uploads", "Upload-Offset: 3", "Upload-Complete: ?1"], 415),
        ([PARTIAL, "Upload-Offset: 3", "Upload-Complete: ?1", "Content-Encoding: gzip"], 415),
        ([PARTIAL, "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: 3"], 400),
        ([PARTIAL, "Upload-Offset: 3", "Upload-Complete: 1"], 400),
        ([PARTIAL, "Upload-Offset: 3", "Upload-Complete: ?1", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: 3", "Upload-Offset: 3", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: -3", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: ?1", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: 3.0", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: 3, 3", "Upload-Complete: ?1"], 400),
        ([PARTIAL, "Upload-Offset: " + "9" * 16, "Upload-Complete: ?1"], 400),
    ],
)
def test_a_malformed_request_changes_nothing(server: Harness, lines: list[str], status: int) -> None:
    where = begin(server, b"abc")
    answer = send(server.connect(), "PATCH", where, b"xyz", *lines)
    assert answer.status == status
    assert offset(server, where) == 3


@pytest.mark.parametrize("complete", [False, True])
def test_a_request_without_a_length_is_411_and_changes_nothing(
    shared: Shared, server: Harness, complete: bool
) -> None:
    line = f"Upload-Complete: ?{complete:d}"
    for method in ("POST", "PUT"):
        assert request(server.connect(), method, "/files/new", line).status == 411
    shared.assert_untouched()
    where = begin(server, b"abc", "Upload-Length: 3")
    writer = server.connect()  # a refused request does not take over
    writer.send(head("PATCH", where, *patch_lines(3, True), "Transfer-Encoding: chunked"))
    assert request(server.connect(), "PATCH", where, PARTIAL, "Upload-Offset: 3", line).status == 411
    writer.send(b"0\r\n\r\n")
    writer.assert_responds(201)
    assert (shared.path / "new").read_bytes() == b"abc"


def test_an_unknown_upload_cannot_be_resumed(server: Harness) -> None:
    for where in ("/uploads/x", "/uploads/", "/uploads/" + "A" * 22):
        assert request(server.connect(), "HEAD", where).status == 404
        assert request(server.connect(), "GET", where).status == 404
        assert resume(server, where, 0, b"x", True).status == 404
        assert request(server.connect(), "DELETE", where).status == 404


def test_a_cancelled_upload_leaves_nothing(shared: Shared, server: Harness) -> None:
    before = open_descriptors()
    where = begin(server, b"abc")
    server.clients[-1].close()
    client = server.connect()
    assert request(client, "DELETE", where).status == 204
    client.close()
    assert open_descriptors() == before
    shared.assert_untouched()


def test_a_later_request_takes_over_a_stalled_one(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc")
    lost = server.connect()
    lost.send(
        f"PATCH {where} HTTP/1.1\r\nHost: x\r\n{PARTIAL}\r\nUpload-Offset: 3\r\n"
        "Upload-Complete: ?1\r\nContent-Length: 6\r\n\r\nde".encode()
    )
    assert offset(server, where) == 5
    lost.send(b"f")
    lost.assert_responds(409)
    assert resume(server, where, 5, b"FGHI", True).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdeFGHI"


# Limits.


def test_an_upload_over_the_limit_is_refused(shared: Shared, server: Harness) -> None:
    answer = send(
        server.connect(), "PUT", "/files/new", b"", "Upload-Complete: ?0", f"Upload-Length: {MAX + 1}"
    )
    assert (answer.status, answer.headers["upload-limit"]) == (413, f"max-size={MAX}")
    client = server.connect()  # before the body
    client.send(head("PUT", "/files/new", "Upload-Complete: ?0", f"Content-Length: {MAX + 1}"))
    client.assert_responds(413)
    where = begin(server)
    answer = resume(server, where, 0, b"x", False, f"Upload-Length: {MAX + 1}")
    assert (answer.status, answer.headers["upload-limit"]) == (413, f"max-size={MAX}")
    assert (answer.headers["upload-complete"], answer.headers["upload-offset"]) == ("?0", "0")
    assert resume(server, where, 0, bytes(MAX), False).status == 204
    answer = resume(server, where, MAX, b"x", False)
    assert (answer.status, answer.headers["upload-limit"]) == (413, f"max-size={MAX}")
    assert (answer.headers["upload-complete"], answer.headers["upload-offset"]) == ("?0", str(MAX))
    assert offset(server, where) == MAX
    assert request(server.connect(), "DELETE", where).status == 204
    shared.assert_untouched()


def test_the_least_recently_used_upload_is_evicted(shared: Shared, server: Harness) -> None:
    places = [begin(server, b"x") for _ in range(MAX_UPLOADS)]
    assert offset(server, places[0]) == 1
    begin(server, b"x")
    assert request(server.connect(), "HEAD", places[1]).status == 404
    assert offset(server, places[0]) == 1
    assert leftovers(shared) == MAX_UPLOADS


def test_too_many_simultaneous_uploads_are_refused(shared: Shared, server: Harness) -> None:
    for _ in range(MAX_UPLOADS):
        server.connect().send(head("PUT", "/files/new", "Upload-Complete: ?1", "Content-Length: 3"))
    before = open_descriptors()
    client = server.connect()
    assert send(client, "PUT", "/files/new", b"", "Upload-Complete: ?0").status == 503
    client.close()
    assert open_descriptors() == before
    assert leftovers(shared) == MAX_UPLOADS


def test_closing_the_store_leaves_nothing(shared: Shared) -> None:
    with resumable(shared) as server:
        begin(server, b"abc")
        assert leftovers(shared) == 1
    shared.assert_untouched()


# Conditions and digests.


def test_a_condition_is_checked_again_at_the_end(shared: Shared, server: Harness) -> None:
    where = begin(server, b"abc", "If-None-Match: *")
    (shared.path / "new").write_bytes(b"theirs")
    answer = resume(server, where, 3, b"def", True)
    assert (answer.status, answer.headers["upload-complete"]) == (412, "?1")  # the final response
    assert (shared.path / "new").read_bytes() == b"theirs"
    assert request(server.connect(), "HEAD", where).status == 404
    assert leftovers(shared) == 0


@pytest.mark.parametrize(("last", "status"), [(b"def", 201), (b"xyz", 400)])
def test_a_digest_covers_the_whole_file(shared: Shared, server: Harness, last: bytes, status: int) -> None:
    digest = base64.b64encode(hashlib.sha256(b"abcdef").digest()).decode()
    where = begin(server, b"abc", f"Repr-Digest: sha-256=:{digest}:")
    answer = resume(server, where, 3, last, True)
    assert (answer.status, answer.headers["upload-complete"]) == (status, "?1")
    assert (shared.path / "new").exists() == (status == 201)
    assert leftovers(shared) == 0


# Regressions found by attack tests.


def begin_chunked(server: Harness) -> tuple[Client, str]:
    """Begin a chunked upload; send all of its data, but not the last chunk."""
    client = server.connect()
    client.send(head("PUT", "/files/new", "Upload-Complete: ?1", VERSION, "Transfer-Encoding: chunked"))
    where = client.assert_responds(104).headers["location"]
    client.send(b"5\r\nAAAAA\r\n")
    return client, where


def test_a_superseded_request_cannot_complete(shared: Shared, server: Harness) -> None:
    overtaken, where = begin_chunked(server)
    other = server.connect()
    other.send(
        f"PATCH {where} HTTP/1.1\r\nHost: x\r\n{PARTIAL}\r\nUpload-Offset: 5\r\nUpload-Complete: ?1\r\n"
        "Content-Length: 10\r\n\r\nBBB".encode()
    )
    overtaken.send(b"0\r\n\r\n")
    overtaken.assert_responds(409)
    assert not (shared.path / "new").exists()
    other.send(b"BBBBBBB")
    other.assert_responds(201)
    assert (shared.path / "new").read_bytes() == b"AAAAABBBBBBBBBB"


def test_a_cancelled_upload_cannot_be_completed(shared: Shared, server: Harness) -> None:
    client, where = begin_chunked(server)
    assert request(server.connect(), "DELETE", where).status == 204
    client.send(b"0\r\n\r\n")
    client.assert_responds(409)
    shared.assert_untouched()


@pytest.mark.parametrize("digest", [True, False])
def test_a_partial_write_is_rolled_back(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch, digest: bool
) -> None:
    value = base64.b64encode(hashlib.sha256(b"abcdefghi").digest()).decode()
    where = begin(server, b"abc", *([f"Repr-Digest: sha-256=:{value}:"] if digest else []))
    pwrite = os.pwrite
    calls = iter(range(10))

    def fail_in_the_middle(descriptor: int, data: memoryview, offset: int) -> int:
        if next(calls) == 0:
            return pwrite(descriptor, data[:2], offset)
        raise OSError(errno.ENOSPC, "planted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail_in_the_middle)
        assert resume(server, where, 3, b"defghi", True).status == 507
    assert offset(server, where) == 3
    assert [path.stat().st_size for path in temporary_files(shared)] == [3]
    assert resume(server, where, 3, b"defghi", True).status == 201
    assert (shared.path / "new").read_bytes() == b"abcdefghi"


def test_a_refused_initial_request_leaves_nothing(shared: Shared, server: Harness) -> None:
    before = open_descriptors()
    client = server.connect()
    lines = ["Upload-Complete: ?1", "Upload-Length: 2"]
    assert send(client, "PUT", "/files/new", b"abc", *lines).status == 400
    client.close()
    assert open_descriptors() == before
    shared.assert_untouched()

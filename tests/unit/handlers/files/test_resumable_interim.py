"""Interim responses to resumable uploads: 104 with the location, and 104 with the progress."""

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest

from reactor.handlers.files.resumable import PROGRESS_INTERVAL
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import chunks, in_pieces, request
from tests.unit.handlers.files.resumable_client import (
    VERSION,
    begin,
    head,
    offset,
    patch_lines,
    resumable,
    send,
)
from tests.unit.handlers.files.shared import Shared

LONG = os.urandom(3 * PROGRESS_INTERVAL + 5)
OTHERS = [
    [],
    ["Upload-Draft-Interop-Version: 7"],
    ["Upload-Draft-Interop-Version: 9"],
    ["Upload-Draft-Interop-Version: -8"],
    ["Upload-Draft-Interop-Version: 8.0"],
    ['Upload-Draft-Interop-Version: "8"'],
    ["Upload-Draft-Interop-Version: 8 8"],
    [VERSION, VERSION],
]


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    with resumable(shared, 2 * len(LONG)) as harness:
        yield harness


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def create(complete: bool, *lines: str) -> bytes:
    return head("PUT", "/files/new", f"Upload-Complete: ?{complete:d}", *lines)


@pytest.mark.parametrize("version", [VERSION, f"{VERSION};a=1", f"{VERSION} \t"])
@pytest.mark.parametrize("complete", [False, True])
def test_a_client_with_our_version_gets_the_location_first(
    server: Harness, complete: bool, version: str
) -> None:
    client = server.connect()
    client.send(create(complete, version, "Content-Length: 3"))
    first = client.assert_responds(104).headers
    assert sorted(first) == ["location", "upload-draft-interop-version", "upload-limit"]
    assert first["upload-draft-interop-version"] == "8"
    assert first["upload-limit"] == f"max-size={2 * len(LONG)}"
    client.send(b"abc")
    last = client.assert_responds(201).headers
    assert (last["location"] == first["location"]) != complete
    if not complete:
        assert offset(server, first["location"]) == 3


@pytest.mark.parametrize("content", [b"", b"abc"])
@pytest.mark.parametrize("complete", [False, True])
def test_the_location_precedes_the_response_to_a_whole_request(
    server: Harness, complete: bool, content: bytes
) -> None:
    client = server.connect()
    client.send(create(complete, VERSION, f"Content-Length: {len(content)}") + content)
    assert statuses(client.responses()) == [104, 201]


@pytest.mark.parametrize("lines", OTHERS)
@pytest.mark.parametrize("complete", [False, True])
def test_other_clients_get_no_104(server: Harness, complete: bool, lines: list[str]) -> None:
    client = server.connect()
    expect = "Expect: 100-continue"
    client.send(create(complete, *lines, expect, f"Content-Length: {len(LONG)}"))
    client.assert_responds(100)
    client.send(LONG)
    client.assert_responds(201)
    send(server.connect(), "PUT", "/files/new", b"old")
    where = begin(server)
    client.send(head("PATCH", where, *patch_lines(0, complete, *lines), f"Content-Length: {len(LONG)}"))
    client.send(LONG)
    client.assert_responds(204)  # a part, or the file is replaced


def test_an_http_1_0_client_gets_no_104(server: Harness) -> None:
    client = server.connect()
    client.send(create(True, VERSION, f"Content-Length: {len(LONG)}").replace(b"HTTP/1.1", b"HTTP/1.0"))
    client.send(LONG[:-1])
    client.assert_open()
    client.send(LONG[-1:])
    client.assert_responds(201)


# 104 and 100 (Continue).


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_104_response_precedes_100_continue(server: Harness, complete: bool, size: int) -> None:
    client = server.connect()
    asking = create(complete, VERSION, "Content-Length: 3", "Expect: 100-continue")
    for piece in in_pieces(asking, size):
        assert client.responses() == []
        client.send(piece)
    assert statuses(client.responses()) == [104, 100]
    for byte in in_pieces(b"abc", 1):
        client.assert_open()
        client.send(byte)
    client.assert_responds(201)


@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_pipelined_uploads_are_answered_in_order(shared: Shared, server: Harness, size: int) -> None:
    client = server.connect()
    parts = [
        create(True, VERSION, "Expect: 100-continue", "Content-Length: 3") + b"abc",
        request("/user-agent", "User-Agent: x"),
        create(False, VERSION, "Transfer-Encoding: chunked") + chunks(b"de", b"f"),
        create(True, "Content-Length: 3") + b"ghi",
    ]
    for piece in in_pieces(b"".join(parts), size):
        client.send(piece)
    found = statuses(client.responses())
    if size == 1:  # no part of the body came with its head
        assert found.pop(1) == 100
    assert found == [104, 201, 200, 104, 201, 204]
    assert (shared.path / "new").read_bytes() == b"ghi"


# Progress.


def upload_in_pieces(client: Client, data: bytes) -> list[Answer]:
    """Send data in pieces; return the responses that came before the last piece."""
    for piece in in_pieces(data[:-1], 30_011):
        client.send(piece)
    answers = client.responses()
    client.send(data[-1:])
    return answers


@pytest.mark.parametrize("coding", ["Content-Length", "chunked"])
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("start", [0, 100])
def test_a_long_body_is_answered_with_its_progress(
    shared: Shared, server: Harness, complete: bool, coding: str, start: int
) -> None:
    where = begin(server, LONG[:start])
    data = LONG[start:]
    line = f"Content-Length: {len(data)}" if coding == "Content-Length" else "Transfer-Encoding: chunked"
    client = server.connect()
    client.send(head("PATCH", where, *patch_lines(start, complete, VERSION), line))
    answers = upload_in_pieces(client, data if coding == "Content-Length" else chunks(*in_pieces(data, 999)))
    client.assert_responds(201 if complete else 204)
    for answer in answers:
        assert answer.status == 104
        assert sorted(answer.headers) == ["upload-draft-interop-version", "upload-offset"]
    offsets = [start, *(int(answer.headers["upload-offset"]) for answer in answers)]
    assert offsets[-1] + PROGRESS_INTERVAL + 30_011 > len(LONG)
    assert all(PROGRESS_INTERVAL <= b - a < PROGRESS_INTERVAL + 30_011 for a, b in pairwise(offsets))
    if complete:
        assert (shared.path / "new").read_bytes() == LONG


@pytest.mark.parametrize("complete", [False, True])
def test_a_creation_is_answered_with_its_progress_too(server: Harness, complete: bool) -> None:
    client = server.connect()
    client.send(create(complete, VERSION, f"Content-Length: {len(LONG)}"))
    client.assert_responds(104)
    answers = upload_in_pieces(client, LONG)
    assert set(statuses(answers)) == {104}
    assert all("location" not in answer.headers for answer in answers)
    assert int(answers[-1].headers["upload-offset"]) <= len(LONG)
    client.assert_responds(201)


def test_the_offset_that_was_reported_is_kept(server: Harness) -> None:
    where = begin(server)
    client = server.connect()
    client.send(head("PATCH", where, *patch_lines(0, True, VERSION), f"Content-Length: {len(LONG)}"))
    client.send(LONG[: PROGRESS_INTERVAL + 1])
    reported = int(client.assert_responds(104).headers["upload-offset"])
    client.close()
    assert PROGRESS_INTERVAL <= reported <= offset(server, where) == PROGRESS_INTERVAL + 1


def test_a_refused_request_gets_no_104(server: Harness) -> None:
    client = server.connect()
    lines = ["Upload-Complete: ?0", VERSION, "If-Match: *"]
    assert send(client, "PUT", "/files/new", b"abc", *lines).status == 412
    too_long = f"Upload-Length: {2 * len(LONG) + 1}"
    assert send(server.connect(), "PUT", "/files/new", b"abc", *lines[:2], too_long).status == 413

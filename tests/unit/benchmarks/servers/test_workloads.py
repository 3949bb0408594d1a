"""The requests of the workloads, and the detection of wrong responses."""

import gzip
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer
from benchmarks.servers.verify import VerificationError, verify
from benchmarks.servers.workloads import DIGITS, TEXT, WORKLOADS, fresh_numbers, numbered

ABC = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
CLOSED = ABC.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@contextmanager
def answering(answer: bytes | Callable[[int], bytes], directory: Path = Path()) -> Iterator[RunningServer]:
    """Respond to all input with these bytes, on one connection after the other; b"" closes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    count = itertools.count()

    def serve() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                with listener.accept()[0] as connection:
                    connection.settimeout(10)
                    while connection.recv(1 << 20) and (
                        data := answer(next(count)) if callable(answer) else answer
                    ):
                        connection.sendall(data)
                        if b"Connection: close" in data:
                            break

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    try:
        address = {"host": host, "port": port, "address": (host, port)}
        stand_in = SimpleNamespace(**address, adapter=PEERS["reactor"], directory=directory)
        yield cast(RunningServer, stand_in)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def test_the_table_of_workloads_is_complete() -> None:
    assert list(WORKLOADS) == [
        *("hot", "browser", "varied", "varied 3", "pipelined", "pipelined varied", "new connection"),
        *("gzip same", "gzip different"),
        *("file 4 KiB", "file 64 KiB", "file 1 MiB", "file 100 MiB", "upload 4 KiB", "upload 1 MiB"),
        "watched",
    ]


def test_hot_is_the_request_that_wrk_sends_by_default() -> None:
    request = b"GET /echo/abc HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"
    assert list(WORKLOADS["hot"].requests("127.0.0.1:80")) == [request]
    assert list(WORKLOADS["pipelined"].requests("127.0.0.1:80")) == [request]
    assert WORKLOADS["pipelined"].depth == WORKLOADS["pipelined varied"].depth == 16


def test_a_browser_sends_eight_field_lines() -> None:
    (request,) = WORKLOADS["browser"].requests("host")
    assert request.count(b"\r\n") == 1 + 8 + 1
    assert b"gzip" not in request  # otherwise three bytes would be compressed


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("varied", {b"X-Request-Id: 000000000007"}),
        ("varied 3", {b"Cookie: theme=dark; session=000000000007", b'If-None-Match: "000000000007"'}),
        ("pipelined varied", {b"X-Request-Id: 000000000007"}),
    ],
)
def test_varied_requests_have_new_paths_and_lines_in_orders_drawn_for_each_round(
    name: str, new: set[bytes]
) -> None:
    (browser,) = WORKLOADS["browser"].requests("host")
    rounds = [
        [numbered(each, 7).split(b"\r\n") for each in replace(WORKLOADS[name], seed=seed).requests("host")]
        for seed in ("1 1", "1 1", "1 2", "2 1")
    ]
    assert rounds[0] == rounds[1]
    assert rounds[0] != rounds[2] != rounds[3] != rounds[0]
    for request, *lines in rounds[0]:
        assert request == b"GET /echo/000000000007 HTTP/1.1"
        assert sorted(lines) == sorted([*browser.split(b"\r\n")[1:], *new])
    places = {lines.index(each) for lines in rounds[0] for each in new}
    assert places == set(range(1, len(rounds[0][0]) - 2)), "the new lines are anywhere"


@pytest.mark.parametrize("name", ["gzip same", "gzip different"])
def test_texts_have_1000_bytes_and_are_worth_compressing(name: str) -> None:
    templates = list(WORKLOADS[name].requests("host"))
    requests = [numbered(each, 7) for each in templates]
    texts = [each.split()[1].removeprefix(b"/echo/") for each in requests]
    assert {len(each) for each in texts} == {TEXT}
    assert len(set(texts)) == len(texts) == len(WORKLOADS[name].targets)
    assert all(200 < len(gzip.compress(each)) < 600 for each in texts)
    places = {each.find(b"{n}") for each in templates}
    assert (places == {-1}) if name == "gzip same" else len(places) > 32


def test_numbers_are_used_once() -> None:
    first, second = fresh_numbers(), fresh_numbers()
    assert (second - first) % 10**DIGITS == 10**8


def test_an_upload_has_a_content_length() -> None:
    workload = WORKLOADS["upload 4 KiB"]
    requests = [numbered(each, number) for number, each in enumerate(workload.requests("host"))]
    assert len({each.split()[1] for each in requests}) == 17
    for each in requests:
        head, _, content = each.partition(b"\r\n\r\n")
        assert content == workload.content
        assert b"Content-Length: 4096" in head


def test_no_two_pieces_of_a_file_are_equal() -> None:
    for name, size in {"file 4 KiB": 1 << 12, "file 64 KiB": 1 << 16, "file 100 MiB": 100 << 20}.items():
        content = WORKLOADS[name].content
        assert len(content) == size
        assert content.isascii()
        starts = range(0, min(size, 4 << 20), 1 << 20)
        assert len({content[start : start + 4096] for start in starts}) == len(starts)


def test_large_files_have_fewer_connections() -> None:
    assert WORKLOADS["file 100 MiB"].connections(64) == 8
    assert WORKLOADS["file 100 MiB"].connections(2) == 2
    assert WORKLOADS["file 1 MiB"].connections(64) == 64


# Wrong responses.


@pytest.mark.parametrize("answer", [ABC, CHUNKED, CLOSED], ids=["length", "chunked", "closed"])
def test_correct_responses_are_counted(answer: bytes, tmp_path: Path) -> None:
    with answering(answer, tmp_path) as server:
        assert verify(server, WORKLOADS["hot"]) == 4


@pytest.mark.parametrize(
    ("name", "answer", "match"),
    [
        ("hot", ABC.replace(b"abc", b"abd"), "wrong body at byte 2"),
        ("hot", ABC.replace(b"3\r\n\r\nabc", b"2\r\n\r\nab"), r"2 bytes \(expected 3\)"),
        ("hot", ABC.replace(b"200 OK", b"404 No"), r"status 404 \(expected 2xx\)"),
        ("hot", ABC.replace(b"abc", b"abcd"), "unexpected data after the response"),
        ("hot", ABC[:-1], "no response within"),
        ("hot", b"", "connection closed before the end of the response"),
        ("hot", b"HTTP/1.1 200 OK\r\n\r\n", "response without Content-Length"),
        ("hot", CHUNKED.replace(b"abc", b"abd"), "wrong body at byte 2"),
        ("hot", CHUNKED.replace(b"3\r\n", b"x\r\n"), "invalid chunk: b'x"),
        ("new connection", CLOSED + b"more", "unexpected data after the response"),
        ("varied", ABC, r"3 bytes \(expected 12\)"),
        ("pipelined", ABC, "no response within"),
        ("new connection", ABC, "missing Connection: close"),
        ("hot", lambda count: ABC if count < 3 else ABC[:-1] + b"d", "wrong body at byte 2"),
        ("gzip same", ABC, "wrong content coding: 'identity'"),
        ("gzip same", ABC.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1), "BadGzipFile"),
        ("file 4 KiB", ABC, r"3 bytes \(expected 4,096\)"),
        ("upload 4 KiB", ABC, "uploaded file not stored"),
    ],
)
def test_a_wrong_response_is_an_error_in_one_line(
    name: str,
    answer: bytes | Callable[[int], bytes],
    match: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.servers.verify.TIMEOUT", 0.1)
    with answering(answer, tmp_path) as server, pytest.raises(VerificationError, match=match) as caught:
        verify(server, WORKLOADS[name])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("place", "found"), [(0, True), (15, True), (16, False)])
def test_files_that_the_load_generator_uploaded_first_are_compared(
    place: int, found: bool, tmp_path: Path
) -> None:
    workload = replace(WORKLOADS["upload 4 KiB"], targets=("/files/own",))
    paths = [tmp_path / f"upload-{number:012}" for number in range(20)]

    def answer(count: int) -> bytes:
        for path in (*paths, tmp_path / "own"):
            path.write_bytes(workload.content[: -1 if path == paths[place] else None])
        return ABC

    with answering(answer, tmp_path) as server:
        if found:
            with pytest.raises(VerificationError, match=r"4,095 bytes \(expected"):
                verify(server, workload)
        else:
            assert verify(server, workload) == 4 + 16
            assert list(tmp_path.iterdir()) == []

"""The check can fail, the reader reads what any server writes, and the command finds what is wrong."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.corpus.entry import Entry, ParsedRequest
from tests.conformance.corpus.replay import (
    LONG,
    PIECE,
    Outcome,
    Reply,
    check_outcome,
    deliveries,
    read_replies,
)
from tests.support.process import ServerProcess, run_command

VALID = Entry("v", b"v", 200, "RFC 9112, 3", request=ParsedRequest())
LAST = Entry("l", b"l", 200, "RFC 9112, 9.6", request=ParsedRequest(keep_alive=False))
INVALID = Entry("i", b"i", 400, "RFC 9112, 3", "It is not.")
CUT = Entry("c", b"c", None, "RFC 9112, 8", "It is not complete.")

OK = Reply(200, False, b"a")
LAST_OK = Reply(200, True, b"a")
CANARY = Reply(200, False, b"canary")
NO = Reply(400, True, b"why\n")
GOOD = [
    (VALID, False, Outcome([OK], b"", False)),
    (VALID, True, Outcome([OK, CANARY], b"", False)),
    (LAST, False, Outcome([LAST_OK], b"", True)),
    (LAST, True, Outcome([LAST_OK], b"", True)),
    (INVALID, False, Outcome([NO], b"", True)),
    (INVALID, True, Outcome([NO], b"", True)),
    (CUT, False, Outcome([], b"", False)),
    (CUT, True, Outcome([], b"", False)),
    (CUT, True, Outcome([NO], b"", True)),
]
VIOLATIONS = [
    pytest.param(VALID, True, Outcome([OK], b"", True), id="canary not answered"),
    pytest.param(VALID, True, Outcome([OK, CANARY, CANARY], b"", False), id="one response too many"),
    pytest.param(VALID, False, Outcome([OK, OK], b"", False), id="body parsed as a request"),
    pytest.param(VALID, False, Outcome([], b"", True), id="no response"),
    pytest.param(VALID, False, Outcome([NO], b"", True), id="valid request refused"),
    pytest.param(VALID, False, Outcome([OK], b"x", False), id="garbage after a response"),
    pytest.param(LAST, True, Outcome([LAST_OK, CANARY], b"", True), id="answered after close"),
    pytest.param(INVALID, False, Outcome([OK], b"", False), id="invalid request accepted"),
    pytest.param(INVALID, True, Outcome([NO, CANARY], b"", True), id="canary answered after a refusal"),
    pytest.param(INVALID, True, Outcome([OK, CANARY], b"", False), id="invalid request and canary accepted"),
    pytest.param(INVALID, False, Outcome([], b"", False), id="waits for more"),
    pytest.param(CUT, False, Outcome([OK], b"", True), id="partial request accepted"),
    pytest.param(CUT, True, Outcome([NO, CANARY], b"", True), id="canary answered after a partial request"),
]
DIFFERENCES = [
    pytest.param(VALID, True, Outcome([Reply(404, False, b""), CANARY], b"", False), id="different status"),
    pytest.param(VALID, True, Outcome([OK, OK], b"", False), id="different response to the canary"),
    pytest.param(VALID, True, Outcome([OK, CANARY], b"", True), id="closed unexpectedly"),
    pytest.param(VALID, False, Outcome([LAST_OK], b"", False), id="close announced unexpectedly"),
    pytest.param(LAST, False, Outcome([LAST_OK], b"", False), id="not closed"),
    pytest.param(LAST, False, Outcome([OK], b"", True), id="close not announced"),
    pytest.param(INVALID, False, Outcome([Reply(500, True, b"")], b"", True), id="different refusal"),
    pytest.param(INVALID, False, Outcome([], b"", True), id="no response to an invalid request"),
    pytest.param(INVALID, False, Outcome([NO], b"", True, was_reset=True), id="reset"),
    pytest.param(INVALID, False, Outcome([NO], b"", False), id="refused but not closed"),
    pytest.param(CUT, False, Outcome([NO], b"", True), id="partial request answered"),
]


@pytest.mark.parametrize(("entry", "canary", "outcome"), GOOD)
def test_a_correct_outcome_passes(entry: Entry, canary: bool, outcome: Outcome) -> None:
    assert check_outcome(entry, canary, outcome) == ([], [])


@pytest.mark.parametrize(("entry", "canary", "outcome"), VIOLATIONS)
def test_a_violation_is_found(entry: Entry, canary: bool, outcome: Outcome) -> None:
    assert check_outcome(entry, canary, outcome).violations


@pytest.mark.parametrize(("entry", "canary", "outcome"), DIFFERENCES)
def test_a_difference_is_not_a_violation(entry: Entry, canary: bool, outcome: Outcome) -> None:
    judgement = check_outcome(entry, canary, outcome)
    assert judgement.differences
    assert not judgement.violations


@pytest.mark.parametrize("size", [1, LONG, LONG + 1, LONG + PIECE])
def test_every_delivery_sends_all_bytes(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    made = {each.way: each for each in deliveries(Entry("n", data, 400, "", ""))}
    assert made.keys() == {"whole", "single", "canary"} | ({"pieces"} if size > LONG else set())
    for way, delivery in made.items():
        assert b"".join(delivery.pieces).startswith(data)
        assert delivery.canary == (way == "canary")
    assert len(made["single"].pieces) == size


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nab"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;a\r\na\r\n1\r\nb\r\n0\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\n\r\nab"


@pytest.mark.parametrize(
    ("data", "method", "ended", "contents", "rest"),
    [
        (LENGTH + CHUNKS + LENGTH, "GET", False, [b"ab", b"ab", b"ab"], b""),
        (CONTINUE + LENGTH, "GET", False, [b"ab"], b""),
        (LENGTH + OLD, "GET", True, [b"ab", b"ab"], b""),
        (OLD, "GET", False, [], OLD),
        (LENGTH[:-1], "GET", True, [], LENGTH[:-1]),
        (CHUNKS[:-1], "GET", True, [], CHUNKS[:-1]),
        (LENGTH[:-2] + LENGTH, "HEAD", False, [b"", b"ab"], b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n" + LENGTH, "OPTIONS", False, [b"", b"ab"], b""),
        (LENGTH + b"garbage\r\n\r\n", "GET", True, [b"ab"], b"garbage\r\n\r\n"),
        (b"", "GET", True, [], b""),
    ],
)
def test_responses_of_any_server_are_parsed(
    data: bytes, method: str, ended: bool, contents: list[bytes], rest: bytes
) -> None:
    replies, left = read_replies(data, method, ended)
    assert [reply.content for reply in replies] == contents
    assert left == rest


# The command.


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(sys.executable, "-m", "tests.conformance.corpus", *arguments)


@pytest.mark.system
def test_the_command_starts_its_own_server() -> None:
    ended = command("--only", "te-cl")
    assert (ended.returncode, ended.stderr) == (0, "")
    numbers = [line.split() for line in ended.stdout.splitlines()[1:]]
    assert [line[0] for line in numbers] == ["valid", "invalid", "all"]
    assert all(line[1:] == [line[1], line[1], line[1], "0"] for line in numbers)
    assert int(numbers[2][1]) >= 4


@pytest.mark.system
def test_the_command_fails_for_a_wrong_server(tmp_path: Path) -> None:
    extra = {"REACTOR_MAX_CHUNK_LINE": "16"}
    with ServerProcess("--directory", str(tmp_path), "--allowed-host", "*", extra=extra) as server:
        ended = command("--url", server.url, "--only", "limit-chunk")
    assert ended.returncode == 1
    assert "DISAGREE valid/limit-chunk-line: whole: refused with 400" in ended.stdout
    assert "canary: 1 responses instead of 2" in ended.stdout
    assert ended.stdout.splitlines()[-1].split() == ["all", "2", "1", "1", "1"]


@pytest.mark.system
def test_the_command_reports_a_timeout() -> None:
    ended = command("--seconds", "0", "--only", "te-cl")
    assert ended.returncode == 1
    assert "not run: timeout" in ended.stdout


@pytest.mark.system
def test_the_command_reports_a_missing_server() -> None:
    with socket.socket() as taken:  # bound and not listening: no other server can answer there
        taken.bind(("127.0.0.1", 0))
        ended = command("--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 3
    assert ended.stderr.startswith("no server at 127.0.0.1:")


@pytest.mark.system
@pytest.mark.parametrize("url", ["http://example.org/", "https://127.0.0.1/", "127.0.0.1:80", "http://[::1"])
def test_the_command_refuses_other_hosts(url: str) -> None:
    assert command("--url", url).returncode == 2


@pytest.mark.system
def test_the_command_fails_without_matching_entries() -> None:
    assert command("--only", "no such entry").returncode == 1

"""The access log: one line per request, whatever its outcome, and no forged lines."""

import gc
import io
import json
import re
import select
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.headers import Headers
from reactor.http11.message import FileSlice, Head, LiveStream, Request, Response
from reactor.http11.target import Target
from reactor.logs import access_log
from reactor.logs.access_log import FORMATS, AccessLog, Exchange, UnsentExchanges
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, answering, request, shrink_buffers, write

TIME = "[14/Nov/2023:22:13:20 +0000]"
LINE = re.compile(
    r'(?P<peer>\S+) - - \[(?P<time>[^]]+)\] "(?P<line>[^"]*)" (?P<status>\d{3}) (?P<content>\d+|-) '
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<duration>\d+) c(?P<connection>\d+)#(?P<number>\d+)'
)


class Log(io.StringIO):
    """A stream that counts the writes into it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        assert self.getvalue().endswith("\n") or not self.getvalue()
        return self.getvalue().split("\n")[:-1]

    @property
    def entries(self) -> list[dict[str, str]]:
        matches = [LINE.fullmatch(line) for line in self.lines]
        assert all(matches), self.lines
        return [match.groupdict() for match in matches if match]


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_combined_line_has_exactly_these_fields(log: Log) -> None:
    with Harness(access_log=log) as server:
        client = server.connect(peer="192.0.2.7")
        client.get("/echo/abc?q=1", "User-Agent: curl/8", "Referer: http://test/")
        client.get("/")
        assert log.getvalue() == (
            f'192.0.2.7 - - {TIME} "GET /echo/abc?q=1 HTTP/1.1" 200 3 "http://test/" "curl/8" 0 c1#1\n'
            f'192.0.2.7 - - {TIME} "GET / HTTP/1.1" 200 - "-" "-" 0 c1#2\n'
        )


def test_a_json_line_has_exactly_these_fields(log: Log) -> None:
    with Harness(access_log=log, log_format="json") as server:
        client = server.connect(peer="192.0.2.7")
        client.get("/echo/abc?q=1", "User-Agent: curl/8")
        [line] = log.lines
        assert json.loads(line) == {
            "time": "2023-11-14T22:13:20Z",
            "peer": "192.0.2.7",
            "method": "GET",
            "target": "/echo/abc?q=1",
            "version": "HTTP/1.1",
            "status": 200,
            "body_bytes": 3,
            "referer": None,
            "user_agent": "curl/8",
            "duration_us": 0,
            "connection": 1,
            "request": 1,
        }


def test_texts_of_a_head_are_formatted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []

    def shorten(text: str, *_: object) -> str:
        written.append(text)
        return text

    monkeypatch.setattr(access_log, "shorten", shorten)
    headers = Headers([("referer", "http://test/", "Referer")])
    stream = Log()
    log = AccessLog(stream)
    for _ in range(2):
        written.clear()
        target = Target("/abc", ("abc",))
        for number in (1, 2, 3):
            exchange = Exchange(Request("GET", target, Head(1), headers), 200, number, 0.0, 0)
            exchange.request.peer = "192.0.2.7"
            log.record(UnsentExchanges(log, 1), exchange, 0)
        log.flush()
        assert [entry["referer"] for entry in stream.entries[-3:]] == ["http://test/"] * 3
        assert written == ["GET /abc HTTP/1.1", "http://test/", "-"]


@pytest.mark.parametrize("layout", FORMATS)
def test_a_log_is_freed_without_the_garbage_collector(layout: str) -> None:
    gc.disable()
    try:
        freed = weakref.ref(AccessLog(Log(), layout))
        assert freed() is None
    finally:
        gc.enable()


def test_connections_and_their_requests_are_numbered(log: Log) -> None:
    with Harness(access_log=log) as server:
        first, second = server.connect(), server.connect()
        for client in (first, second, first, first, second):
            client.get("/")
        numbers = [(entry["connection"], entry["number"]) for entry in log.entries]
        assert numbers == [("1", "1"), ("2", "1"), ("1", "2"), ("1", "3"), ("2", "2")]


def test_the_duration_is_from_head_to_last_byte(log: Log) -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**6)), access_log=log) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 5", method="POST"))
        server.clock.advance(1.5)
        client.send(b"hello" + request("/0"))
        server.clock.advance(0.25)
        client.responses()
        assert [entry["duration"] for entry in log.entries] == ["1500000", "250000"]


def test_a_response_is_logged_after_its_last_byte(log: Log) -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**6)), access_log=log) as server:
        client = server.connect()
        client.send(request("/0"))
        assert log.lines == []
        client.assert_responds()
        assert [entry["content"] for entry in log.entries] == ["1000000"]


@pytest.mark.parametrize("layout", FORMATS)
def test_each_line_has_the_time_of_its_second(log: Log, layout: str) -> None:
    with Harness(access_log=log, log_format=layout) as server:
        client = server.connect()
        for _ in range(4):
            client.get("/")
            server.wall += 0.5
    assert [re.findall(r"22:13:2\d", line) for line in log.lines] == [["22:13:20"]] * 2 + [["22:13:21"]] * 2


LONG_TEXTS = (b"a" * 4000, b"\xff" * 4000, b'"' * 4000)


@pytest.mark.parametrize("text", LONG_TEXTS, ids=["plain", "outside of ASCII", "escaped"])
@pytest.mark.parametrize("layout", FORMATS)
def test_a_line_with_long_texts_fits_into_one_write_to_a_pipe(log: Log, layout: str, text: bytes) -> None:
    target = b"/echo/" + (b"a" * 4000 if text[:1] in b'"\xff' else text)
    with Harness(access_log=log, log_format=layout) as server:
        client = server.connect()
        client.send(
            b"GET %b HTTP/1.1\r\nHost: a\r\nReferer: %b\r\nUser-Agent: %b\r\n\r\n" % (target, text, text)
        )
        client.assert_responds()
    [line] = log.lines
    assert len(line.encode()) < select.PIPE_BUF


def test_long_texts_keep_900_bytes_at_their_longest_escape(log: Log) -> None:
    for layout in FORMATS:
        with Harness(access_log=log, log_format=layout) as server:
            client = server.connect()
            client.send(
                b"GET /%b HTTP/1.1\r\nHost: a\r\nReferer: %b\r\nUser-Agent: %b\r\n\r\n" % ((b"a" * 999,) * 3)
            )
            client.assert_responds(404)
    first, second = log.lines
    cut = {"combined": "a" * 225 + "...", "json": "a" * 150 + "..."}
    match, entry = LINE.fullmatch(first), json.loads(second)
    assert match is not None
    assert (match["line"], match["referer"]) == ("GET /" + cut["combined"][5:], cut["combined"])
    assert (entry["target"], entry["referer"]) == ("/" + cut["json"][1:], cut["json"])
    assert (match["agent"], entry["user_agent"]) == (cut["combined"], cut["json"])


def test_lines_of_one_turn_are_one_write(log: Log) -> None:
    with Harness(access_log=log) as server:
        clients = [server.connect() for _ in range(10)]
        for client in clients:
            write(client, request("/echo/a") * 10)
        server.reactor.turn()
        assert len(log.lines) == 100
        assert log.writes == 1


def test_a_turn_without_requests_writes_nothing(log: Log) -> None:
    with Harness(access_log=log) as server:
        server.connect().send(request()[:-1])
        assert log.writes == 0


# Bytes of the body.


def test_body_bytes_are_counted_per_pipelined_request(log: Log) -> None:
    with Harness(access_log=log) as server:
        client = server.connect()
        client.send(b"".join(request("/echo/" + "a" * count) for count in range(1, 100)))
        client.responses()
        assert [int(entry["content"]) for entry in log.entries] == list(range(1, 100))


def test_body_bytes_are_right_with_partial_writes(log: Log) -> None:
    routes = answering(*(lambda size=size: Response(200, b"a" * size) for size in (100_000, 7, 50_000)))
    with Harness(routes, access_log=log) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(request("/0") + request("/1") + request("/2") + request("/1"))
        client.responses()
        assert [entry["content"] for entry in log.entries] == ["100000", "7", "50000", "7"]


def test_an_interim_response_does_not_count_as_body(log: Log) -> None:
    with Harness(answering(), access_log=log) as server:
        client = server.connect()
        asking = request("/post", "Content-Length: 5", "Expect: 100-continue", method="POST")
        client.send(CANARY + asking)
        client.send(b"hello" + CANARY)
        assert [answer.status for answer in client.responses()] == [200, 100, 200, 200]
        assert [entry["content"] for entry in log.entries] == ["16", "5", "16"]


def test_body_bytes_are_counted_as_sent(log: Log, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 300_000)
    store = Store(str(tmp_path))
    with Harness(store=store, access_log=log) as server:
        client = server.connect()
        zipped = client.get("/echo/" + "a" * 1000, "Accept-Encoding: gzip").content
        assert len(zlib.decompress(zipped, 31)) == 1000
        client.send(request("/echo/abc", method="HEAD"))
        client.responses("HEAD")
        client.send(request("/files/file") + request("/echo/abc") + request("/files/file", method="HEAD"))
        client.responses("GET", "GET", "HEAD")
        contents = [entry["content"] for entry in log.entries]
        assert contents == [str(len(zipped)), "-", "300000", "3", "-"]
    store.close()


# Failures.


def test_a_disconnect_during_the_response_is_logged_as_499(log: Log) -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**7)), access_log=log) as server:
        client = server.connect()
        client.send(request("/0"))
        client.close()
        [entry] = log.entries
        assert (entry["status"], entry["line"]) == ("499", "GET /0 HTTP/1.1")
        assert 0 < int(entry["content"]) < 10**7


def test_pipelined_requests_of_a_disconnected_client_are_499(log: Log) -> None:
    with Harness(answering(lambda: Response(200, b"a" * 250_000)), access_log=log) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(CANARY + request("/0") + CANARY)
        client.close()
        assert [entry["status"] for entry in log.entries] == ["200", "499", "499"]
        assert [entry["content"] for entry in log.entries][::2] == ["16", "-"]


@pytest.mark.parametrize("leave", [Client.close, Client.half_close])
def test_a_disconnect_during_an_upload_is_logged_as_499(log: Log, leave: Callable[[Client], None]) -> None:
    with Harness(answering(), access_log=log) as server:
        client = server.connect()
        client.send(CANARY + request("/post", "Content-Length: 9", method="POST") + b"hello")
        leave(client)
        assert [(entry["status"], entry["number"]) for entry in log.entries] == [("200", "1"), ("499", "2")]


def test_a_disconnect_during_a_live_stream_is_logged_as_499(log: Log) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream)), access_log=log) as server:
        client = server.connect()
        client.send(request("/0"))
        client.close()
        assert [entry["status"] for entry in log.entries] == ["499"]


def test_a_reset_of_a_slow_reader_is_logged_as_499(log: Log) -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**7)), access_log=log) as server:
        server.connect().send(request("/0"))
        server.clock.advance(61)
        assert [(entry["status"], entry["duration"]) for entry in log.entries] == [("499", "61000000")]


@pytest.mark.parametrize("said", [b"", b"GET / HTT", CANARY])
def test_a_disconnect_between_requests_is_not_logged(log: Log, said: bytes) -> None:
    with Harness(answering(), access_log=log) as server:
        client = server.connect()
        client.send(said)
        client.close()
        assert [entry["status"] for entry in log.entries] == ["200"] * (said == CANARY)


def test_a_slow_head_is_logged_as_408_of_an_unknown_request(log: Log) -> None:
    with Harness(access_log=log) as server:
        server.connect().send(b"GET / HTT")
        server.clock.advance(21)
        assert [(entry["status"], entry["line"]) for entry in log.entries] == [("408", "-")]


def test_a_slow_body_is_logged_as_408_of_its_request(log: Log) -> None:
    with Harness(answering(), access_log=log) as server:
        server.connect().send(request("/post", "Content-Length: 9", method="POST"))
        server.clock.advance(21)
        assert [(entry["status"], entry["line"]) for entry in log.entries] == [("408", "POST /post HTTP/1.1")]


@pytest.mark.parametrize("layout", ["combined", "json"])
def test_a_refused_request_is_logged_with_its_readable_part(log: Log, layout: str) -> None:
    with Harness(access_log=log, log_format=layout) as server:
        client = server.connect()
        client.send(b'GET /sec"ret\x07 HTTP/1.1\r\nHost : forged\r\nUser-Agent: curl\r\n\r\n')
        content = client.assert_responds(400).content
        [line] = log.lines
        if layout == "combined":
            written = "GET /sec\\x22ret\\x07 HTTP/1.1"
            assert line == f'127.0.0.1 - - {TIME} "{written}" 400 {len(content)} "-" "curl" 0 c1#1'
        else:
            entry = json.loads(line)
            assert (entry["status"], entry["body_bytes"]) == (400, len(content))
            assert (entry["method"], entry["target"], entry["version"]) == ("GET", '/sec"ret\x07', "HTTP/1.1")
            assert entry["user_agent"] == "curl"


@pytest.mark.parametrize("layout", ["combined", "json"])
@pytest.mark.parametrize("line", ["GET /secret HTTP/2.0", "GET  /secret HTTP/1.1", "secret", "HEAD /secret"])
def test_an_unreadable_request_line_is_not_logged(log: Log, layout: str, line: str) -> None:
    with Harness(access_log=log, log_format=layout) as server:
        client = server.connect()
        client.send(f"{line}\r\nHost: forged\r\n\r\n".encode())
        [answer] = client.responses("HEAD" if line.startswith("HEAD") else "GET")
        [logged] = log.lines
        if layout == "combined":
            tail = f'"-" {answer.status} {len(answer.content) or "-"} "-" "-" 0 c1#1'
            assert logged == f"127.0.0.1 - - {TIME} {tail}"
        else:
            entry = json.loads(logged)
            assert (entry["status"], entry["body_bytes"]) == (answer.status, len(answer.content))
            assert (entry["method"], entry["target"], entry["version"]) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("/none"), "404"),
        (request("/canary", method="DELETE"), "405"),
        (request("/canary", method="BREW"), "501"),
        (request("/post", "Content-Length: 9999999999", method="POST"), "413"),
        (request("/0"), "500"),
    ],
)
def test_an_error_is_logged_with_its_request(log: Log, data: bytes, status: str) -> None:
    routes = answering(lambda: None)  # type: ignore[arg-type, return-value]
    with Harness(routes, access_log=log) as server:
        server.connect().send(data)
        line = data.partition(b"\r\n")[0].decode()
        assert [(entry["line"], entry["status"]) for entry in log.entries] == [(line, status)]


def test_a_file_that_shrank_is_logged_with_the_bytes_sent(log: Log, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    with open(tmp_path / "file", "rb") as file:
        routes = answering(lambda: Response(200, FileSlice(file, 0, 1000)))
        with Harness(routes, access_log=log) as server:
            server.connect().send(request("/0"))
            assert [entry["content"] for entry in log.entries] == ["5"]


def test_requests_are_served_if_the_log_cannot_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with Harness(access_log=Full()) as server:
        client = server.connect()
        client.get("/")
        client.get("/")
        assert "No space left" in caplog.text

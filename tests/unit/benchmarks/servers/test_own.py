"""Servers of the user: names, addresses, first responses, processes."""

import argparse
import http.server
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

import psutil

from benchmarks.load import process as load_process
from benchmarks.load import wrk
from benchmarks.results.samples import Run
from benchmarks.runner.rounds import Config, Turn
from benchmarks.servers import process
from benchmarks.servers.own import at_url, by_command, checked, in_checkout
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import StartError, run_server
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import BY_QUESTION, WORKLOADS

Answer = Callable[[int], tuple[int, bytes]]


@contextmanager
def serving(answer: Answer, chunked: bool = False, version: str = "HTTP/1.1") -> Iterator[str]:
    """Serve these responses by their number; yield the URL."""
    numbers = iter(range(1 << 30))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            status, body = answer(next(numbers))
            self.send_response(status)
            if self.path != "/items?id=7":
                status, body = 404, b""
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
                pieces = [b"%x\r\n%b\r\n" % (len(each), each) for each in (body[:2], body[2:], b"")]
                body = b"".join(pieces)
            else:
                self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/items?id=7"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def text(_: int) -> tuple[int, bytes]:
    return 200, "h\u00e4llo".encode()


@pytest.mark.parametrize(
    ("url", "name", "target", "address"),
    [
        ("http://127.0.0.1:8000/", "127.0.0.1:8000", "/", ("127.0.0.1", 8000)),
        ("http://127.0.0.2:8000", "127.0.0.2:8000", "/", ("127.0.0.2", 8000)),
        ("http://localhost/a/b?c=d#e", "localhost:80", "/a/b?c=d", ("127.0.0.1", 80)),
        ("http://127.0.0.1/%20 {n}", "127.0.0.1:80", "/%20%20%7Bn%7D", ("127.0.0.1", 80)),
    ],
)
def test_a_url_gives_name_target_and_address(
    url: str, name: str, target: str, address: tuple[str, int]
) -> None:
    server = at_url(url)
    assert (server.name, server.target, server.address) == (name, target, address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://192.0.2.1/", "not a loopback address"),
        ("http://0.0.0.0:8000/", "not a loopback address"),
        ("https://127.0.0.1/", "not http"),
        ("127.0.0.1:8000", "not http"),
        ("http://127.0.0.1:99999/", "Port out of range"),
        ("http://127.0.0.1:x/", "could not be cast"),
        ("", "not http"),
    ],
)
def test_other_urls_are_errors_with_the_value_and_an_example(url: str, reason: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        at_url(url)
    assert f"invalid URL: {url!r}: " in str(caught.value)
    assert reason in str(caught.value)
    assert "(example: http://127.0.0.1:8000/)" in str(caught.value)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("uvicorn app:app --port {port}", "uvicorn app:app"),
        ("python -m http.server {port}", "python -m http.server"),
        ("env A=1 /usr/bin/node server.js {port}", "env A=1 node server.js"),
        ("gunicorn -b 127.0.0.1:{port} app:app", "gunicorn"),
        ("cd /a/x && exec serve {port}", "cd x && exec serve"),
        ("$SERVER{port}", "command"),
    ],
)
def test_a_command_is_named_after_its_first_words(command: str, name: str) -> None:
    server = by_command(command)
    assert server.name == name
    assert server.command(4221, Path(), Path()) == ["sh", "-c", command.replace("{port}", "4221")]


def test_names_are_different_from_each_other_and_from_those_of_the_peers() -> None:
    with serving(text) as url:
        servers = [*checked([at_url(url), at_url(url)])]
    assert [each.name for each in servers] == [servers[0].name, f"{servers[0].name} 2"]
    peers = checked([by_command(f"reactor() {{ {sys.executable} -m reactor -p {{port}}; }}; reactor")])
    assert not {each.name for each in peers} & set(PEERS)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_the_expected_body_is_that_of_the_first_response(chunked: bool, version: str) -> None:
    if chunked and version == "HTTP/1.0":
        pytest.skip("HTTP/1.0 has no chunked transfer coding")
    with serving(text, chunked, version) as url:
        (own,) = checked([at_url(url)])
        assert own.content == text(0)[1]
        with run_server(own) as server:
            assert verify(server, WORKLOADS["varied"]) == 4
            assert verify(server, WORKLOADS["new connection"]) == 4
            turn = Turn(server, 1, Config(seconds=0.1, connections=2))
            sample = turn.sample("reactor")
            assert sample.requests == sample.verified
            assert not sample.errors
            if wrk.missing() is None:
                sample = turn.sample("wrk", WORKLOADS["browser"])
                assert sample.requests
                assert not sample.errors
            if version == "HTTP/1.1":
                with load_process.hold_idle(server, 3) as still_served:
                    assert still_served() == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda number: (404, b"abc"), "status 404 (expected 2xx)"),
        (lambda number: (307, b""), "status 307 (expected 2xx)"),
        (lambda number: (200, b"%03d" % number), "wrong body at byte 2"),
        (lambda number: (200 if number < 2 else 503, b"abc"), "status 503 (expected 2xx)"),
    ],
)
def test_other_first_responses_are_errors_in_one_line(answer: Answer, reason: str) -> None:
    with serving(answer) as url, pytest.raises(StartError) as caught:
        checked([at_url(url)])
    assert str(caught.value).startswith("localhost:")
    assert str(caught.value).endswith(f": GET /items?id=7: {reason}")


def test_processor_and_memory_of_a_server_at_a_url_are_those_of_its_process() -> None:
    with serving(text) as url, run_server(at_url(url)) as server:
        assert server.processes()[0] == psutil.Process()
        assert server.cpu() > 0
        assert server.resident() > 1 << 20
        server.end()
        server.start()
        assert checked([at_url(url)]), "it still runs"


def test_processor_and_memory_are_unknown_if_a_process_cannot_be_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(text) as url:
        connections = psutil.net_connections("tcp")  # it listens twice, and one process is hidden
        connections += [each._replace(pid=None) for each in connections]
        monkeypatch.setattr(psutil, "net_connections", lambda kind: connections)
        with run_server(checked([at_url(url)])[0]) as server:
            assert all(map(math.isnan, (server.cpu(), server.resident())))
            sample = Turn(server, 1, Config(seconds=0.1, connections=2)).sample("reactor")
    assert all(map(math.isnan, (sample.server_cpu, sample.resident)))
    Run(samples=[sample]).save(tmp_path / "run.json")
    assert "NaN" not in (tmp_path / "run.json").read_text()
    assert math.isnan(Run.load(tmp_path / "run.json").samples[0].resident)


def test_a_command_is_stopped_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.5)
    own = by_command(f"trap '' TERM; {sys.executable} -m benchmarks.bare_loop {{port}} & wait; wait")
    with run_server(own) as server:
        shell, child = server.processes()
        assert child.cmdline()[1:3] == ["-m", "benchmarks.bare_loop"]
    assert not shell.is_running()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_command_is_run_in_the_present_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("own page")
    monkeypatch.chdir(tmp_path)
    (own,) = checked([by_command(f"{sys.executable} -m http.server {{port}}")])
    assert own.content == b"own page"


CHECKOUT = """
from benchmarks import bare_loop
import sys
assert sys.argv[1::2] == ["--port", "--directory", "--no-access-log"]
bare_loop.main(int(sys.argv[2]))
"""


def test_a_checkout_is_run_from_its_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nginx" / "reactor").mkdir(parents=True)
    (tmp_path / "nginx" / "reactor" / "__init__.py").touch()
    main = tmp_path / "nginx" / "reactor" / "__main__.py"
    monkeypatch.setenv("PYTHONPATH", str(process.ROOT))
    monkeypatch.chdir(tmp_path)
    main.write_text(CHECKOUT)
    (own,) = checked([in_checkout("nginx")])
    assert (own.name, own.cwd, own.content, own.target) == ("nginx 1", tmp_path / "nginx", None, "")
    main.write_text("raise SystemExit('broken')")
    with pytest.raises(StartError, match="exit code 1: broken"):
        checked([in_checkout("nginx")])


def test_a_checkout_has_its_commit_as_its_version() -> None:
    assert in_checkout(str(process.ROOT)).version().startswith("commit ")


def test_a_directory_without_reactor_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"not a checkout of Reactor: '.*' .*git worktree add"
    ):
        in_checkout(str(tmp_path))


def test_small_workloads_are_for_the_path_of_the_user() -> None:
    for workload in BY_QUESTION["throughput"]:
        requests = list(workload.at("/items").requests("host"))
        assert len(requests) == len(workload.targets)
        assert all(each.startswith(b"GET /items HTTP/1.1\r\n") for each in requests)

"""--inspect on a real server: pausing, stepping, breakpoints, demos, metrics."""

import json
import signal
from collections.abc import Iterator

import pytest

from reactor.server.state import State
from reactor.settings import Settings
from tests.support.command import CommandServer, run_main
from tests.support.process import COMMAND, ClientConnection, head
from tests.unit.inspector.microscope import Microscope, MicroscopeProcess, speed_up

GET = head("GET", "/echo/hi")
NAMES = [state.name for state in State]
SUCCESSORS = [[each.name for each in state.successors] for state in State]


@pytest.fixture
def server() -> Iterator[Microscope]:
    with Microscope() as microscope:
        yield microscope


@pytest.fixture
def process() -> Iterator[MicroscopeProcess]:
    with MicroscopeProcess() as microscope:
        yield microscope


# Pausing.


def test_a_paused_server_answers_only_after_steps(server: Microscope) -> None:
    client = server.connect()
    assert client.get("/echo/first").status == 200
    server.do("pause")
    client.send(GET)
    with server.open_events() as stream:
        frames = [stream.next()[1] for _ in range(3)]
        assert {frame["mode"] for frame in frames} == {"paused"}
        assert len({frame["clock"] for frame in frames}) == 1
        assert client.hangs()
        server.do("event")
        stream.until(lambda frame: frame["mode"] == "paused" and frame["totals"]["requests"] == 1)
    assert client.answer().content == b"hi"


def test_events_of_one_turn_are_stepped_one_by_one(server: Microscope) -> None:
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.get("/")
    with server.open_events() as stream:
        server.do("pause")
        for client in clients:
            client.send(GET)
        server.do("event")
        frame = stream.until(lambda frame: frame["at"] and frame["at"]["step"] == "dispatch")
        assert frame["totals"]["requests"] == 1
        assert "about to call on_readable of c" in frame["at"]["words"]
        assert frame["at"]["connection"] in (1, 2, 3)
        server.do("turn")
        frame = stream.until(lambda frame: frame["at"] and frame["at"]["step"] == "turn")
        assert frame["totals"]["requests"] == 3
    assert [client.answer().status for client in clients] == [200] * 3


def test_calling_a_yielded_connection_is_a_separate_step(server: Microscope) -> None:
    share = Settings().turn_requests
    client = server.connect()
    client.get("/")
    with server.open_events() as stream:
        server.do("pause")
        client.send(GET * (share + 1))
        server.do("event")
        frame = stream.until(lambda frame: frame["totals"]["requests"] == share)
        assert [chip[3] for chip in frame["chips"]] == [NAMES.index("YIELDING")]
        server.do("slow", delay=60)
        frame = stream.until(lambda frame: frame["at"] and frame["at"]["step"] == "soon")
        assert "about to call on_soon of c1" in frame["at"]["words"]
        assert frame["at"]["reason"] == "slow motion"
        server.do("event")
        stream.until(lambda frame: frame["totals"]["requests"] == share + 1)
    for _ in range(share + 1):
        assert client.answer().content == b"hi"


def test_a_breakpoint_holds_the_response_until_resumed(server: Microscope) -> None:
    assert server.post("/breakpoints", {"states": ["RESPONDING"], "slow": False})[0] == 200
    client = server.connect()
    with server.open_events() as stream:
        client.send(GET)
        frame = stream.until(lambda frame: frame["at"])
        assert frame["at"]["reason"] == "breakpoint: c1 enters RESPONDING"
        assert [chip[3] for chip in frame["chips"]] == [NAMES.index("RESPONDING")]
        assert client.hangs()
        server.post("/breakpoints", {"states": [], "slow": False})
        server.do("resume")
        assert client.answer().status == 200


def test_accepted_can_be_a_breakpoint(server: Microscope) -> None:
    server.post("/breakpoints", {"states": ["ACCEPTED"], "slow": False})
    with server.open_events() as stream:
        client = server.connect()
        frame = stream.until(lambda frame: frame["at"])
        assert frame["at"]["reason"] == "breakpoint: c1 enters ACCEPTED"
        server.do("resume")
        assert client.get("/").status == 200


def test_a_slow_turn_can_be_a_breakpoint(server: Microscope) -> None:
    server.post("/breakpoints", {"states": [], "slow": True})
    with server.open_events() as stream:
        assert server.post("/demos", {"name": "block"})[0] == 202
        frame = stream.until(lambda frame: frame["mode"] == "paused")
        assert frame["at"]["reason"] == "breakpoint: a slow turn"
        assert any(turn[5] for turn in frame["turns"]) or frame["turns"] == []


def test_requests_are_answered_in_slow_motion(server: Microscope) -> None:
    server.do("slow", delay=0.01)
    assert server.get("/echo/slowly").content == b"slowly"


@pytest.mark.system
def test_ctrl_c_stops_a_held_server(process: MicroscopeProcess) -> None:
    client = process.connect()
    client.get("/")
    process.post("/breakpoints", {"states": ["RESPONDING"], "slow": False})
    with process.open_events() as stream:
        client.send(GET)
        stream.until(lambda frame: frame["at"])
        process.send_signal(signal.SIGINT)
        assert client.answer().status == 200  # requests in flight are completed
    client.close()
    assert process.exit_code() == 0


@pytest.mark.system
@pytest.mark.parametrize("state", ["CLOSED", "DRAINING", "RESPONDING"])
def test_breakpoints_do_not_hold_ctrl_c(process: MicroscopeProcess, state: str) -> None:
    client = process.connect()
    client.get("/")
    process.post("/breakpoints", {"states": [state], "slow": True})
    assert process.interrupt() == 0
    assert "Traceback" not in "\n".join(process.stderr.rest())


@pytest.mark.system
def test_ctrl_c_stops_a_paused_server(process: MicroscopeProcess) -> None:
    process.do("pause")
    assert process.interrupt() == 0


@pytest.mark.system
def test_sigusr1_lists_connections_without_resuming(process: MicroscopeProcess) -> None:
    process.connect().get("/")
    process.do("pause")
    process.send_signal(signal.SIGUSR1)
    assert process.stderr.next() == "reactor: open connections: 1"
    line = process.stderr.next()
    assert line is not None
    assert line.startswith("reactor: c1 127.0.0.1 fd ")
    assert " IDLE, 1 served, 0 bytes unparsed, 0 unsent, keep-alive timeout in " in line
    assert b'"paused"' in json.dumps(process.post("/control", {"do": "pause"})[1]).encode()


# Frames and connections.


def test_hello_contains_states_steps_and_demos(server: Microscope) -> None:
    with server.open_events() as stream:
        hello = stream.hello
    assert [state["name"] for state in hello["states"]] == NAMES
    assert [state["successors"] for state in hello["states"]] == SUCCESSORS
    assert {state["name"] for state in hello["states"] if state["interest"] == "-"} == {"YIELDING", "CLOSED"}
    steps = {step["name"]: step for step in hello["steps"]}
    assert list(steps)[:5] == ["earliest", "select", "dispatch", "soon", "late"]
    for step in steps.values():
        with open(step["file"]) as file:
            assert "def " in file.read().splitlines()[step["line"] - 1]
    assert {demo["name"] for demo in hello["demos"]} >= {"keep-alive", "block", "hundred"}


@pytest.mark.system
def test_without_docstrings_the_page_gets_the_same_states() -> None:
    with MicroscopeProcess(command=("-OO", *COMMAND)) as process, process.open_events() as stream:
        states = stream.hello["states"]
    assert [state["name"] for state in states] == NAMES
    assert [state["successors"] for state in states] == SUCCESSORS
    actions = {state["name"]: state["on_timeout"] for state in states}
    assert actions["RECEIVING_HEAD"] == "answer 408"


def test_one_connection_is_shown_with_its_history_and_no_secret(server: Microscope) -> None:
    with server.open_events():
        client = server.connect()
        client.get("/user-agent", "Authorization: Basic c2VjcmV0", "User-Agent: me")
        status, content = server.ask("/connections/1")
    assert status == 200
    assert b"c2VjcmV0" not in content
    found = json.loads(content)
    assert (found["number"], found["served"], found["route"]) == (1, 1, "/user-agent")
    assert [NAMES[after] for _, _, after in found["history"]][-2:] == ["RESPONDING", "IDLE"]
    texts = [text for _, _, _, text in found["traffic"]]
    assert texts[0].startswith("GET /user-agent HTTP/1.1\\r\\n")
    assert texts[1].startswith("HTTP/1.1 200 OK\\r\\n")
    assert found["parser"] == {"phase": "IDLE", "buffered": 0}


def test_a_closed_connection_is_found_and_an_unknown_one_is_not(server: Microscope) -> None:
    with server.open_events() as stream:
        with ClientConnection(server.port) as client:
            client.get("/")
        stream.until(lambda frame: frame["totals"]["closed"] == 1)
        found = json.loads(server.ask("/connections/1")[1])
        assert (found["closed"], found["close_reason"]) == (True, "the client closed the connection")
        for number in ("2", "0", "-1", "x", "1" * 5000, "%31"):
            assert server.ask(f"/connections/{number}")[0] in ((200,) if number == "%31" else (404, 414))


def test_with_many_connections_a_frame_has_a_density(server: Microscope) -> None:
    clients = [server.connect() for _ in range(320)]
    for client in clients[:20]:
        client.get("/")
    with server.open_events() as stream:
        frame = stream.until(lambda frame: sum(frame["counts"]) == 320)
    assert frame["chips"] is None
    assert sum(map(sum, frame["density"])) == 320
    assert frame["counts"][NAMES.index("IDLE")] == 20
    assert len(frame["handles"]) == 40
    assert frame["handles_left_out"] > 280
    assert len(frame["deadlines"]) == 10


def test_moves_and_turns_are_sent_once(server: Microscope) -> None:
    with server.open_events() as stream:
        client = server.connect()
        for _ in range(3):
            client.get("/")
        moves: dict[tuple[int, int], int] = {}
        turns: list[int] = []

        def count(frame: dict[str, list[list[int]]]) -> bool:
            for before, after, number in frame["moves"]:
                moves[before, after] = moves.get((before, after), 0) + number
            turns.extend(turn[0] for turn in frame["turns"])
            return moves.get((NAMES.index("RESPONDING"), NAMES.index("IDLE"))) == 3

        stream.until(count)
    assert moves[NAMES.index("IDLE"), NAMES.index("RESPONDING")] == 2
    assert turns == sorted(set(turns))


@pytest.mark.system
def test_a_page_that_does_not_read_uses_bounded_memory(process: MicroscopeProcess) -> None:
    import psutil

    memory = psutil.Process(process.pid).memory_info
    with process.open_events():
        client = process.connect()
        for _ in range(500):
            client.get("/")
        before = memory().rss
        for _ in range(3000):
            client.get("/")
        assert memory().rss - before < 8 << 20


# Invalid commands.


@pytest.mark.parametrize(
    ("path", "data", "status", "start"),
    [
        ("/control", {"do": "explode"}, 400, 'invalid "do": "explode" (expected pause, resume,'),
        ("/control", {"do": ["pause"]}, 400, 'invalid "do": array'),
        ("/control", {}, 400, 'invalid "do": null (expected pause, resume,'),
        ("/control", [], 400, ""),
        ("/control", b"{", 400, ""),
        ("/control", b"\xff", 400, ""),
        ("/control", b"[" * 4000, 400, ""),
        ("/control", {"do": "slow", "delay": 0}, 400, 'invalid "delay": 0'),
        (
            "/control",
            {"do": "slow", "delay": [[1]]},
            400,
            'invalid "delay": array (expected 0.01 to 60 seconds)',
        ),
        ("/control", {"do": "slow", "delay": "1"}, 400, 'invalid "delay": "1"'),
        ("/control", b'{"do": "slow", "delay": NaN}', 400, 'invalid "delay": '),
        (
            "/breakpoints",
            {"states": ["X\n"], "slow": False},
            400,
            'unknown state: "X\\n" (expected RECEIVING_PROXY_HEADER, ACCEPTED,',
        ),
        ("/breakpoints", {"states": [["IDLE"]], "slow": False}, 400, ""),
        ("/breakpoints", {"states": "IDLE", "slow": False}, 400, 'invalid "states": '),
        ("/breakpoints", {"states": {}, "slow": False}, 400, 'invalid "states": object (expected a list'),
        ("/breakpoints", {"states": [], "slow": 1}, 400, 'invalid "slow": 1'),
        ("/demos", {"name": "nothing"}, 404, 'unknown demo: "nothing" (available: keep-alive,'),
        ("/demos", {"name": []}, 404, "unknown demo: array"),
        ("/control", b" " * 5000, 413, ""),
    ],
)
def test_invalid_commands_are_refused_with_the_invalid_value(
    server: Microscope, path: str, data: object, status: int, start: str
) -> None:
    answered, text = server.post(path, data)
    assert answered == status
    assert text.startswith(start)
    assert text.count("\n") == 1
    assert server.get("/").status == 200


def test_a_form_cannot_send_commands(server: Microscope) -> None:
    with ClientConnection(server.inspector) as client:
        content = b'{"do": "pause"}'
        client.send(
            head("POST", "/control", "Content-Type: text/plain", f"Content-Length: {len(content)}") + content
        )
        assert client.answer().status == 415
    assert server.get("/").status == 200


# Demo clients.


@pytest.mark.parametrize(
    ("name", "state", "requests"),
    [
        ("keep-alive", "IDLE", 2),
        ("pipelining", "IDLE", 8),
        ("one-byte", "RECEIVING_HEAD", 0),
        ("slow-reader", "RESPONDING", 1),
        ("half-close", "DRAINING", 1),
        ("block", "IDLE", 1),
        ("hundred", "IDLE", 50),
    ],
)
def test_a_demo_shows_its_state(
    server: Microscope, monkeypatch: pytest.MonkeyPatch, name: str, state: str, requests: int
) -> None:
    if name in ("keep-alive", "hundred"):
        speed_up(monkeypatch, name, 5)
    with server.open_events() as stream:
        assert server.post("/demos", {"name": name})[0] == 202
        index = NAMES.index(state)
        frame = stream.until(
            lambda frame: frame["totals"]["requests"] >= requests and frame["counts"][index] > 0
        )
        assert name in frame["demos"]


def test_a_demo_ends(server: Microscope, monkeypatch: pytest.MonkeyPatch) -> None:
    speed_up(monkeypatch, "half-close")
    with server.open_events() as stream:
        server.post("/demos", {"name": "half-close"})
        stream.until(lambda frame: frame["totals"]["closed"] == 1 and frame["demos"] == [])


def test_the_number_of_demos_is_limited(server: Microscope) -> None:
    answers = [server.post("/demos", {"name": "one-byte"})[0] for _ in range(11)]
    assert answers == [202] * 10 + [409]


# Metrics.


def test_metrics_and_health_are_served(server: Microscope) -> None:
    server.get("/echo/hi")
    status, content = server.ask("/metrics")
    assert status == 200
    assert b'http_route="/echo/{text...}"' in content
    assert server.ask("/metrics", "Accept: application/openmetrics-text")[1].endswith(b"# EOF\n")
    assert server.ask("/healthz") == (200, b"ok\n")
    assert server.ask("/readyz") == (200, b"ready\n")
    client = server.connect()
    client.get("/")
    (listed,) = [
        each for each in json.loads(server.ask("/connections")[1])["connections"] if each["route"] == "/"
    ]
    assert (listed["state"], listed["served"], listed["timeout"]) == ("IDLE", 1, "keep_alive")


def test_readyz_is_503_while_stopping() -> None:
    with Microscope() as server:
        client = server.connect()
        client.send(head("POST", "/echo/x", "Content-Length: 5")[:-10])
        server.keep_asking_until(lambda: b'"served": 0' in server.ask("/connections")[1])
        server.terminate()
        assert server.stderr.next() == "reactor: Server.stop(): stopping"
        assert server.ask("/readyz")[0] == 503
        assert server.ask("/healthz")[0] == 200


# The option.


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1:", ":4222", "::1:4222", "70000", "host:70000", "a b:1"])
def test_an_invalid_address_is_exit_code_2(text: str) -> None:
    done = run_main("--port", "0", f"--inspect={text}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_an_address_in_use_is_exit_code_3(server: Microscope) -> None:
    done = run_main("--port", "0", "--inspect", f"127.0.0.1:{server.inspector}")
    assert done.returncode == 3
    assert done.stderr == (
        f"reactor: cannot listen on 127.0.0.1 port {server.inspector}: "
        "Address already in use (choose another port)\n"
    )


def test_wildcard_and_localhost_addresses_are_accepted() -> None:
    with CommandServer("--inspect", "0.0.0.0:0", "--no-access-log") as server:
        server.terminate()
        assert server.exit_code() == 0
    with CommandServer("--inspect", "localhost:0", "--no-access-log") as server:
        assert "inspector on http://127.0.0.1:" in server.start_line or "[::1]" in server.start_line

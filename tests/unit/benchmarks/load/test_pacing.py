"""Closed and open loops: when requests are sent and what is counted, with a fake clock."""

import pytest

from benchmarks.load.pacing import OpenLoop, closed_loop, once
from tests.unit.benchmarks.load.load_server import Stage, answer

# The closed loop.


def test_a_closed_loop_sends_the_next_request_after_each_response() -> None:
    with Stage(3) as stage:
        stage.begin(closed_loop)
        for _ in range(4):
            stage.clock.now += 0.5
            assert stage.respond() == 3
        tally = stage.group.tally
        assert (tally.requests, tally.failures, tally.verified, tally.latency.count) == (12, {}, 12, 12)
        assert tally.transferred == 12 * len(answer())
        assert tally.latency.percentile(1) == pytest.approx(0.5, rel=0.01)


def test_a_wrong_body_is_an_error_and_keeps_the_connection() -> None:
    with Stage(1) as stage:
        stage.begin(closed_loop)
        stage.respond(answer(b"abd"))
        assert stage.respond() == 1
        assert (stage.group.tally.requests, stage.group.tally.failures) == (1, {"wrong body": 1})


@pytest.mark.parametrize(
    ("data", "failure"),
    [(b"", "reset"), (b"nonsense\r\n\r\n", "invalid response"), (answer()[:-1], "closed")],
)
def test_a_request_without_a_response_is_an_error(data: bytes, failure: str) -> None:
    with Stage(2) as stage:
        stage.begin(closed_loop)
        stage.clock.now += 2
        if failure != "reset":  # by closing while data is unread
            stage.far[0].taken()
        stage.far[0].sock.send(data)
        stage.far[0].sock.close()
        stage.turn()
        tally = stage.group.tally
        assert (tally.requests, tally.failures, stage.group.pending) == (0, {failure: 1}, 1)
        assert tally.latency.percentile(1) == pytest.approx(2, rel=0.01)


def test_each_numbered_request_is_different() -> None:
    with Stage(1, b"GET /{n} HTTP/1.1\r\n\r\n", b"{n}") as stage:
        stage.begin(closed_loop)
        (far,) = stage.far
        seen = set()
        for _ in range(3):
            number = far.taken()[5:17]
            seen.add(number)
            far.sock.send(answer(number))
            stage.turn()
        assert len(seen) == 3
        assert stage.group.tally.requests == 3
        stage.respond(answer(b"%012d" % 0))
        assert stage.group.tally.failures == {"wrong body": 1}


# The open loop.


def test_requests_are_sent_when_they_are_due() -> None:
    with Stage(4) as stage:
        pace = OpenLoop(stage.group, rate=10, total=10)
        stage.begin(pace.on_free)
        sent = [stage.respond()]
        for _ in range(9):
            stage.clock.now += 0.0999
            sent.append(stage.respond())
            stage.clock.now += 0.0001
            stage.turn()
            sent.append(stage.respond())
        assert sent == [1] + [0, 1] * 9
        assert pace.done
        assert stage.group.tally.requests == 10


def test_all_connections_are_used_in_turn() -> None:
    with Stage(4) as stage:
        pace = OpenLoop(stage.group, rate=10, total=20)
        stage.begin(pace.on_free)
        counts = [0] * 4
        for _ in range(20):
            for number, far in enumerate(stage.far):
                requests = far.requests()
                counts[number] += requests
                far.sock.send(answer() * requests)
            stage.clock.now += 0.1
            stage.turn()
        assert counts == [5, 5, 5, 5]


def stalled(stage: Stage) -> None:
    """Respond at once for a second, not for another second, and at once for a third."""
    for step in range(300):
        stage.turn()
        for _ in range(0 if 100 <= step < 200 else 20):
            stage.respond()
        stage.clock.now += 0.01
    stage.turn()
    stage.respond()


def test_a_stall_delays_all_requests_due_during_it() -> None:
    """Of 300 requests, 100 are due during a stall of one second ("coordinated omission" hides them)."""
    with Stage(1) as stage:
        pace = OpenLoop(stage.group, rate=100, total=300)
        stage.begin(pace.on_free)
        stalled(stage)
        assert pace.done
        latency = stage.group.tally.latency
        assert latency.count == stage.group.tally.requests == 300
        assert latency.percentile(1) == pytest.approx(1.0, rel=0.02)
        # Their times are evenly distributed from 1 s to 0, plus a little queueing.
        for share, seconds in ((0.95, 0.85), (0.9, 0.7), (0.8, 0.4), (0.7, 0.1)):
            assert latency.percentile(share) == pytest.approx(seconds, abs=0.06)


def test_a_closed_loop_hides_a_stall() -> None:
    with Stage(1) as stage:
        stage.begin(closed_loop)
        stalled(stage)
        latency = stage.group.tally.latency
        assert latency.percentile(1) == pytest.approx(1.0, rel=0.02)
        assert latency.percentile(0.99) < 0.05


def test_requests_never_sent_are_lost_with_the_time_they_waited() -> None:
    with Stage(2) as stage:
        pace = OpenLoop(stage.group, rate=10, total=10)
        stage.begin(pace.on_free)
        stage.clock.now += 1
        stage.turn()
        assert pace.sent == 2  # one per connection, without responses
        pace.stop()
        for requester in stage.requesters:
            requester.on_disconnect("timeout")
        tally = stage.group.tally
        assert (tally.requests, tally.failures, tally.latency.count) == (0, {"timeout": 10}, 10)
        assert tally.latency.mean() == pytest.approx(0.55, rel=0.02)  # 1.0, 0.9, ... 0.1
        assert pace.done


def test_due_requests_use_the_other_connections_when_one_is_lost() -> None:
    with Stage(2) as stage:
        pace = OpenLoop(stage.group, rate=10, total=10)
        stage.begin(pace.on_free)
        stage.far[1].sock.close()
        stage.far.pop()
        stage.turn()
        for _ in range(10):
            stage.respond()
            stage.clock.now += 0.01
            stage.requesters[1].disconnect()  # it would reconnect, without a server
            stage.clock.now += 0.09
            stage.turn()
        stage.respond()
        assert stage.group.tally.requests == 10


def test_a_reconnected_client_has_one_request_at_a_time() -> None:
    with Stage(1) as stage:
        pace = OpenLoop(stage.group, rate=10, total=5)
        stage.begin(pace.on_free)
        assert stage.respond() == 1
        pace.on_free(stage.requesters[0])  # as after it has reconnected
        stage.clock.now += 1
        stage.turn()
        assert stage.far[0].requests() == 1


# First requests.


def test_one_request_is_sent_on_each_connection() -> None:
    with Stage(3) as stage:
        stage.begin(once)
        assert stage.respond() == 3
        assert stage.respond() == 0
        assert all(each.was_answered for each in stage.requesters)

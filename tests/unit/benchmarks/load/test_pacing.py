"""Closed and open loops: when requests are sent and what is counted, with a fake clock."""

import pytest

from benchmarks.load.clients import IdleRequester, RequestTemplate
from benchmarks.load.pacing import ClosedLoop, FirstRequests, OpenLoop
from tests.unit.benchmarks.load.load_server import REQUEST, Stage, answer

# The closed loop.


def test_each_connection_asks_again_when_it_is_answered() -> None:
    with Stage(3) as stage:
        pace = ClosedLoop(stage.load, stage.requesters)
        stage.begin(pace)
        for _ in range(4):
            stage.clock.now += 0.5
            assert stage.respond() == 3
        tally = stage.load.tally
        assert (tally.requests, tally.errors, tally.answers, tally.latency.count) == (12, 0, 12, 12)
        assert tally.transferred == 12 * len(answer())
        assert tally.latency.percentile(1) == pytest.approx(0.5, rel=0.01)


def test_requests_of_a_batch_leave_at_once_and_the_next_when_all_are_answered() -> None:
    with Stage(1) as stage:
        pace = ClosedLoop(stage.load, stage.requesters, depth=3)
        stage.begin(pace)
        (far,) = stage.far
        assert far.taken() == 3 * REQUEST
        far.sock.send(2 * answer())
        stage.turn()
        assert far.taken() == b""
        far.sock.send(answer())
        stage.turn()
        assert far.requests() == 3


def test_wrong_content_is_an_error_and_costs_no_connection() -> None:
    with Stage(1) as stage:
        pace = ClosedLoop(stage.load, stage.requesters)
        stage.begin(pace)
        stage.respond(answer(b"abd"))
        assert stage.respond() == 1
        assert (stage.load.tally.requests, stage.load.tally.errors) == (1, 1)


@pytest.mark.parametrize("data", [b"", b"nonsense\r\n\r\n", answer()[:-1]])
def test_a_request_whose_answer_never_comes_is_an_error(data: bytes) -> None:
    with Stage(2) as stage:
        pace = ClosedLoop(stage.load, stage.requesters)
        stage.begin(pace)
        stage.clock.now += 2
        stage.far[0].sock.send(data)
        stage.far[0].sock.close()
        stage.turn()
        tally = stage.load.tally
        assert (tally.requests, tally.errors, stage.load.pending) == (0, 1, 1)
        assert tally.latency.percentile(1) == pytest.approx(2, rel=0.01)


def test_each_request_is_another_one_where_it_has_a_number() -> None:
    with Stage(1, RequestTemplate(b"GET /{n} HTTP/1.1\r\n\r\n", b"{n}")) as stage:
        pace = ClosedLoop(stage.load, stage.requesters)
        stage.begin(pace)
        (far,) = stage.far
        seen = set()
        for _ in range(3):
            number = far.taken()[5:17]
            seen.add(number)
            far.sock.send(answer(number))
            stage.turn()
        assert len(seen) == 3
        assert stage.load.tally.requests == 3
        stage.respond(answer(b"%012d" % 0))
        assert stage.load.tally.errors == 1


# The open loop.


def test_requests_are_sent_when_they_are_due() -> None:
    with Stage(4) as stage:
        pace = OpenLoop(stage.load, stage.requesters, rate=10, seconds=1)
        stage.begin(pace)
        sent = [stage.respond()]
        for _ in range(9):
            stage.clock.now += 0.0999
            sent.append(stage.respond())
            stage.clock.now += 0.0001
            stage.turn()
            sent.append(stage.respond())
        assert sent == [1] + [0, 1] * 9
        assert pace.done
        assert stage.load.tally.requests == 10


def test_all_connections_are_used_in_turn() -> None:
    with Stage(4) as stage:
        pace = OpenLoop(stage.load, stage.requesters, rate=10, seconds=2)
        stage.begin(pace)
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


def test_a_stall_delays_all_that_was_due_meanwhile() -> None:
    """Of 300 requests, 100 are due during a stall of one second ("coordinated omission" hides them)."""
    with Stage(1) as stage:
        pace = OpenLoop(stage.load, stage.requesters, rate=100, seconds=3)
        stage.begin(pace)
        stalled(stage)
        assert pace.done
        latency = stage.load.tally.latency
        assert latency.count == stage.load.tally.requests == 300
        assert latency.percentile(1) == pytest.approx(1.0, rel=0.02)
        # Their times are evenly distributed from 1 s to 0, plus a little queueing.
        for share, seconds in ((0.95, 0.85), (0.9, 0.7), (0.8, 0.4), (0.7, 0.1)):
            assert latency.percentile(share) == pytest.approx(seconds, abs=0.06)


def test_a_closed_loop_would_have_hidden_it() -> None:
    with Stage(1) as stage:
        pace = ClosedLoop(stage.load, stage.requesters)
        stage.begin(pace)
        stalled(stage)
        latency = stage.load.tally.latency
        assert latency.percentile(1) == pytest.approx(1.0, rel=0.02)
        assert latency.percentile(0.99) < 0.05


def test_what_was_never_sent_counts_as_lost_and_as_long_as_it_waited() -> None:
    with Stage(2) as stage:
        pace = OpenLoop(stage.load, stage.requesters, rate=10, seconds=1)
        stage.begin(pace)
        stage.clock.now += 1
        stage.turn()
        assert pace.sent == 2  # one per connection, without responses
        pace.stop()
        for requester in stage.requesters:
            requester.give_up()
        tally = stage.load.tally
        assert (tally.requests, tally.errors, tally.latency.count) == (0, 10, 10)
        assert tally.latency.mean() == pytest.approx(0.55, rel=0.02)  # 1.0, 0.9, ... 0.1
        assert pace.done


def test_what_is_due_goes_to_the_others_when_a_connection_is_lost() -> None:
    with Stage(2) as stage:
        pace = OpenLoop(stage.load, stage.requesters, rate=10, seconds=1)
        stage.begin(pace)
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
        assert stage.load.tally.requests == 10


# First requests, and idle connections.


def test_a_greeting_counts_who_was_answered() -> None:
    with Stage(3) as stage:
        first = FirstRequests(stage.load, stage.requesters)
        stage.begin(first)
        far = stage.far[0]
        assert far.requests() == 1
        far.sock.send(answer())
        stage.turn()
        assert (first.established, first.done) == (1, False)
        assert far.requests() == 0
        stage.respond()
        assert (first.established, first.done) == (3, True)


def test_who_does_not_come_back_is_waited_for_no_more() -> None:
    with Stage(2, kind=IdleRequester) as stage:
        for each in stage.requesters:
            assert isinstance(each, IdleRequester)
            each.arrived = True
        first = FirstRequests(stage.load, stage.requesters)
        stage.begin(first)
        stage.far.pop().sock.close()
        stage.turn()
        stage.respond()
        assert (first.established, first.done) == (1, True)
        assert not stage.requesters[1].connected

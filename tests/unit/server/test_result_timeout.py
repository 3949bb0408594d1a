"""A Deferred whose result is not known in time: the client gets 503, and the result is dropped."""

import io
from collections.abc import Callable, Iterator
from math import inf, nan

import pytest

from reactor import Deferred, HTTPError, LiveStream, Request, Response, Router
from reactor.basic_auth import AuthRouter, digest
from reactor.http11.deferred import Steps
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, RecordingSink, request

LATER = request("/later")
POST = request("/post", method="POST", content=b"hello")


class Site(Harness):
    """A server whose route /later returns ``deferred``, and whose POST /post has a step in a worker."""

    def __init__(self, deferred: Deferred | None = None) -> None:
        self.deferred = Deferred() if deferred is None else deferred
        self.sink = RecordingSink()
        self.work: list[Callable[[], object]] = []
        self.log = io.StringIO()
        self.ended: list[str] = []
        routes = Router()
        routes.get("/later")(self.later)
        routes.get("/canary")(lambda _: "the canary sings")
        routes.post("/post", sink=self.sink.open)(self.post)
        super().__init__(
            routes, access_log=self.log, in_worker=self.work.append, result_timeout=30.0, max_head=500
        )

    def later(self, request: Request) -> Deferred:
        return self.deferred

    def post(self, request: Request) -> Deferred:
        self.deferred = Deferred(self.steps())
        return self.deferred

    def steps(self) -> Steps:
        try:
            yield lambda: self.ended.append("step")
            return Response(200, self.stream)
        finally:
            self.ended.append("steps")

    stream = LiveStream()

    @property
    def statuses(self) -> list[str]:
        return [line.split('"')[2].split()[0] for line in self.log.getvalue().splitlines()]


def assert_gets_503(client: Client) -> None:
    """Assert that the client gets 503, and that nothing follows on its connection."""
    answer = client.assert_responds(503)
    assert answer.content == b"the result took too long\n"
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("10", "close")
    client.assert_closed()


@pytest.fixture
def server() -> Iterator[Site]:
    with Site() as site:
        yield site


def test_the_client_gets_503_and_the_connection_ends(server: Site, caplog: pytest.LogCaptureFixture) -> None:
    client = server.connect()
    client.send(LATER + CANARY)
    server.clock.advance(29.9)
    client.assert_open()
    server.clock.advance(0.2)
    assert_gets_503(client)
    assert server.deferred.closed
    assert server.statuses == ["503"]
    (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert record.getMessage() == f"c1: result timeout: no result of {__name__}.Site.later after 30 s"


def test_a_late_result_is_dropped_and_released(server: Site) -> None:
    client = server.connect()
    client.send(LATER)
    server.clock.advance(31)
    assert_gets_503(client)
    assert list(server.context.abandoned) == [client.connection]
    stream = LiveStream()
    server.deferred.resolve(Response(200, stream))
    assert stream.closed
    assert not server.context.abandoned
    client.assert_closed()


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(5.0, 5.0), (300, 300.0), (None, 30.0), (inf, inf), (0.001, 0.001)]
)
def test_a_deferred_has_a_timeout_of_its_own(timeout: float | None, seconds: float) -> None:
    with Site(Deferred(timeout=timeout)) as server:
        client = server.connect()
        client.send(LATER)
        assert client.connection.state is State.AWAITING_RESULT
        assert client.connection.deadline - server.clock.now == pytest.approx(seconds)
        if seconds == inf:
            server.clock.advance(1e6)
            client.assert_open()
            server.deferred.resolve("late")
            assert client.assert_responds().content == b"late"
        else:
            server.clock.advance(seconds + 0.001)
            assert_gets_503(client)


@pytest.mark.parametrize("timeout", [0, -1, nan, -inf])
def test_a_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(ValueError, match=r"invalid timeout: .* \(expected seconds above 0, or math.inf"):
        Deferred(timeout=timeout)


def test_the_request_body_is_kept_until_the_step_has_ended(server: Site) -> None:
    client = server.connect()
    client.send(POST)
    server.clock.advance(31)
    assert_gets_503(client)
    client.close()
    assert not server.context.connections
    assert (server.sink.times_closed, server.context.occupied) == (0, 1)
    server.work.pop()()
    assert (server.ended, server.sink.times_closed) == (["step", "steps"], 1)
    assert server.sink.steps.count("finish") == 1
    assert server.stream.closed
    assert (server.context.occupied, server.context.abandoned) == (0, {})
    assert server.statuses == ["503"]


def test_a_closed_server_ends_the_steps(server: Site) -> None:
    client = server.connect()
    client.send(POST)
    server.clock.advance(31)
    assert_gets_503(client)
    client.connection.drop_result()  # as Server.close does
    assert (server.ended, server.sink.times_closed) == (["steps"], 1)


@pytest.mark.parametrize("notified", ["never", "later"])
def test_a_result_that_is_known_at_the_deadline_is_sent_once(notified: str) -> None:
    """Another thread may resolve it just before; the loop is notified a turn later."""
    calls: list[Callable[[], object]] = []
    with Site() as server:
        server.context.run_in_loop = calls.append  # type: ignore[method-assign,assignment]
        client = server.connect()
        client.send(LATER)
        server.deferred.resolve("just in time")
        server.clock.advance(31)
        if notified == "later":
            (call,) = calls
            call()
        assert client.assert_responds().content == b"just in time"
        client.send(CANARY)
        assert client.assert_responds().content == b"the canary sings"
        assert server.statuses == ["200", "200"]


def test_a_result_that_is_known_right_after_the_deadline_is_dropped() -> None:
    calls: list[Callable[[], object]] = []
    with Site() as server:
        server.context.run_in_loop = calls.append  # type: ignore[method-assign,assignment]
        client = server.connect()
        client.send(LATER)
        server.clock.advance(31)
        stream = LiveStream()
        server.deferred.resolve(Response(200, stream))
        assert_gets_503(client)
        calls.pop()()
        assert stream.closed
        assert not server.context.abandoned


def test_a_notification_of_an_earlier_result_does_not_extend_a_later_timeout() -> None:
    calls: list[Callable[[], object]] = []
    with Site() as server:
        server.context.run_in_loop = calls.append  # type: ignore[method-assign,assignment]
        client = server.connect()
        client.send(LATER)
        server.deferred.resolve("first")
        server.clock.advance(31)
        client.assert_responds()
        server.deferred = Deferred()
        client.send(LATER)
        server.clock.advance(20)
        calls.pop()()
        server.clock.advance(11)
        assert_gets_503(client)


def test_bytes_behind_the_request_do_not_delay_the_timeout(server: Site) -> None:
    client = server.connect()
    client.send(LATER + CANARY * 40)  # more than a request head: the rest is left in the socket
    server.clock.advance(31)
    assert client.assert_responds(503).headers["connection"] == "close"


def test_the_error_handler_of_503_makes_the_response(server: Site) -> None:
    @server.context.router.error(503)
    def busy(request: Request, error: HTTPError) -> dict[str, str]:
        return {"error": error.reason}

    client = server.connect()
    client.send(LATER)
    server.clock.advance(31)
    answer = client.assert_responds(503)
    assert answer.content == b'{"error":"the result took too long"}'
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("10", "close")


def test_a_client_that_is_gone_before_the_timeout_gets_nothing(server: Site) -> None:
    client = server.connect()
    client.send(LATER)
    client.close()
    assert server.deferred.closed
    server.clock.advance(31)
    server.deferred.resolve("late")
    assert server.statuses == ["499"]
    assert not server.context.abandoned


def test_the_delay_of_a_failed_login_has_no_timeout() -> None:
    with Harness(AuthRouter(auth=digest("anna:secret")), result_timeout=0.1) as server:
        client = server.connect()
        client.send(request("/", "Authorization: Basic YTpi"))
        server.clock.advance(0.2)
        client.assert_open()
        server.clock.advance(0.1)
        client.assert_responds(401)

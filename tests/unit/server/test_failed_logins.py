"""Failed logins: how long each response is delayed, and that other clients do not wait."""

import gc
import heapq
import io
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from reactor.basic_auth import AuthRouter, digest
from reactor.event_handler import Interest
from reactor.http11.errors import LoginError
from reactor.http11.message import Request, Response
from reactor.routing import Router
from reactor.server.connection import Connection
from reactor.server.context import ServerState
from reactor.server.delayed_response import DelayedResponse
from reactor.server.failed_logins import (
    FIRST_INTERVAL,
    FORGET_AFTER,
    LOG_WINDOW,
    MAX_DELAY,
    MAX_ENTRIES,
    MAX_INTERVAL,
    MAX_LINES,
    FailedLogins,
    network_of,
)
from reactor.server.state import State
from tests.support.acceptor import Site
from tests.support.in_process import Client, Harness
from tests.support.requests import RecordingSink, request

IPV4, IPV6 = "192.0.2.1", "2001:db8:1:2:3::4"


def refuse(logins: FailedLogins, now: float, user: str = "anna", address: str = IPV4) -> tuple[float, int]:
    """Return the delay and the status of the response."""
    delay, error = logins.refuse(address, LoginError(401, "wrong", (), user), now)
    return delay, error.status


# The delay: the table of failed_logins.py.


def test_the_delay_doubles_for_a_client_that_waits() -> None:
    logins, now, delays = FailedLogins(), 1000.0, []
    for _ in range(7):
        delay, status = refuse(logins, now)
        delays.append(delay)
        now += delay
        assert status == 401
    assert delays == [0.25, 0.5, 1, 2, 2, 2, 2]


def test_parallel_failures_wait_one_after_the_other_up_to_the_maximum() -> None:
    logins = FailedLogins()
    found = [refuse(logins, 1000.0) for _ in range(50)]
    assert found == [(0.25, 401), (0.75, 401), (1.75, 401), (3.75, 401)] + [(MAX_DELAY, 429)] * 46
    assert refuse(logins, 1003.75) == (2.0, 401), "a 429 delays later responses"


def attack(connections: int, seconds: float, users: int = 1) -> Counter[int]:
    """Return the number of responses by status, to clients that guess again after each response."""
    logins, statuses = FailedLogins(), Counter[int]()
    waiting = [(0.0, number, 0) for number in range(connections)]
    while waiting[0][0] <= seconds:
        now, number, status = heapq.heappop(waiting)
        statuses[status] += 1
        delay, status = refuse(logins, now, f"user {number % users}")
        heapq.heappush(waiting, (now + delay, number, status))
    return statuses


@pytest.mark.parametrize("connections", [1, 2, 3, 50, 500])
def test_the_rate_does_not_depend_on_the_number_of_connections(connections: int) -> None:
    statuses = attack(connections, 60.0)
    begin = 4  # the responses after 0.25, 0.75, 1.75 and 3.75 s
    assert statuses[401] == begin + int((60.0 - 3.75) / MAX_INTERVAL)
    assert statuses[429] <= connections * 60.0 / MAX_DELAY


def test_the_rate_over_many_users_is_bounded() -> None:
    assert attack(500, 60.0, users=500)[401] <= 60.0 / (MAX_INTERVAL / 8) + 4


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (IPV4, IPV4),
        (f"::ffff:{IPV4}", IPV4),
        (IPV6, "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_ipv6_addresses_with_one_prefix_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_other_addresses_are_not_delayed_longer() -> None:
    logins = FailedLogins()
    for _ in range(20):
        refuse(logins, 0.0)
    assert refuse(logins, 0.0, address=IPV6) == (FIRST_INTERVAL, 401)
    assert refuse(logins, 0.0, user="bert")[0] < 1.0
    refuse(logins, 0.0, address=IPV6)
    assert refuse(logins, 0.0, address="2001:db8:1:2:9::") == (1.75, 401)


def test_failures_are_forgotten_after_a_while() -> None:
    logins = FailedLogins()
    for _ in range(4):
        refuse(logins, 0.0)
    assert refuse(logins, FORGET_AFTER)[0] == MAX_INTERVAL
    assert refuse(logins, 2 * FORGET_AFTER + 1)[0] == FIRST_INTERVAL


def test_a_client_with_many_users_does_not_remove_its_own_address() -> None:
    logins = FailedLogins()
    for number in range(2 * MAX_ENTRIES):
        refuse(logins, number / 100, f"user {number}")
    assert len(logins) == MAX_ENTRIES
    assert refuse(logins, 2 * MAX_ENTRIES / 100, "anna") == (MAX_DELAY, 429)


def test_the_table_is_bounded_and_each_failure_is_delayed() -> None:
    logins = FailedLogins()
    for number in range(MAX_ENTRIES):
        assert refuse(logins, 0.0, address=f"10.0.{number // 256}.{number % 256}") == (FIRST_INTERVAL, 401)
    assert len(logins) == MAX_ENTRIES
    assert refuse(logins, 0.0, address="10.0.0.0") == (FIRST_INTERVAL, 401), "removed from the table"
    assert refuse(logins, 0.0, address="10.0.15.255") == (0.75, 401), "one of the latest"


def test_long_names_take_no_more_memory() -> None:
    logins = FailedLogins()
    assert [refuse(logins, 0.0, "x" * 5000 + end)[0] for end in "ab"] == [0.25, 0.75]


# The log.


def test_failures_are_logged_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    logins = FailedLogins()
    for _ in range(1000):
        refuse(logins, 0.0, "an\x1b\nna\x85")
    first, second, *_, last = caplog.messages
    assert first == rf"failed login from {IPV4} as 'an\x1b\nna\x85'"
    assert second == first + " (2 failures from this address)"
    assert last == first + " (512 failures from this address)"
    assert len(caplog.messages) == 10


def test_the_lines_of_many_addresses_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    logins = FailedLogins()
    for now, limit in ((0.0, MAX_LINES), (LOG_WINDOW, 2 * MAX_LINES)):
        for number in range(1000):
            refuse(logins, now, "x" * 5000, f"10.{now:.0f}.{number // 256}.{number % 256}")
        assert len(caplog.messages) == limit
        assert caplog.messages[-1] == "more failed logins: not logged for up to 60 s (see the access log)"
    assert max(map(len, caplog.messages)) < 120


# Connections.


def credentials(password: str, user: str = "anna") -> str:
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


RIGHT, WRONG, READER = credentials("right"), credentials("wrong"), credentials("reader", "rita")


class Guarded(Harness):
    """A server with a password for all requests and one for changes, and a route with a sink."""

    def __init__(self) -> None:
        self.sink = RecordingSink()
        self.log = io.StringIO()
        routes = AuthRouter(digest("rita:reader"), digest("anna:right"))
        routes.get("/")(lambda _: Response(200, b"content"))
        routes.post("/post", sink=self.sink.open)(lambda request: Response(200, request.content))
        super().__init__(routes, access_log=self.log)

    @property
    def statuses(self) -> list[str]:
        """The statuses in the access log."""
        return [line.split('"')[2].split()[0] for line in self.log.getvalue().splitlines()]


@pytest.fixture
def server() -> Iterator[Guarded]:
    with Guarded() as guarded:
        yield guarded


@pytest.fixture
def client(server: Guarded) -> Client:
    return server.connect()


GET = partial(request, "/", WRONG)


def test_a_failed_login_waits_and_others_do_not(server: Guarded, client: Client) -> None:
    client.send(GET())
    assert client.connection.state is State.AWAITING_RESULT
    server.clock.advance(FIRST_INTERVAL - 0.01)
    client.assert_open()
    assert server.run() == 0, "waiting causes turns"
    assert server.connect().get("/", RIGHT).content == b"content"
    server.clock.advance(0.01)
    answer = client.assert_responds(401)
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "connection" not in answer.headers
    assert client.get("/", RIGHT).status == 200
    assert server.statuses == ["200", "401", "200"]


@pytest.mark.parametrize("lines", [(RIGHT,), (READER,), ()], ids=["right", "reader", "none"])
def test_valid_and_missing_passwords_are_never_delayed(server: Guarded, lines: tuple[str, ...]) -> None:
    for user in ("anna", "rita"):
        for _ in range(30):
            server.connect().send(request("/", credentials("wrong", user)))
    client = server.connect()
    client.send(request("/", *lines))
    client.assert_responds(200 if lines else 401)
    client.send(request("/post", *lines, method="POST", content=b"hello"))
    client.assert_responds(200 if lines == (RIGHT,) else 401)


def test_only_wrong_passwords_are_failures(server: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    client = server.connect()
    for lines in ((), (RIGHT,), (READER,)):
        client.send(request("/", *lines))
        client.send(request("/post", *lines, method="POST", content=b"hello"))
        client.responses()
    assert len(server.context.failed_logins) == 0
    assert not [text for text in caplog.messages if "failed login" in text]


def test_pipelined_failures_wait_one_after_the_other(server: Guarded, client: Client) -> None:
    client.send(GET() * 6 + request("/", RIGHT))
    for delay in (0.25, 0.5, 1, 2, 2, 2):
        server.clock.advance(delay - 0.01)
        client.assert_open()
        server.clock.advance(0.01)
        assert [each.status for each in client.responses()] == (
            [401] if server.clock.now < 1007.75 else [401, 200]
        )


def test_parallel_failures_get_429_after_the_maximum_delay(server: Guarded) -> None:
    clients = [server.connect() for _ in range(50)]
    for client in clients:
        client.send(GET())
    counts = []
    for _ in range(20):
        server.clock.advance(0.25)
        counts.append(Counter(answer.status for client in clients for answer in client.responses()))
    assert sum(counts, Counter()) == {401: 4, 429: 46}
    assert counts[-1] == {429: 46}


def test_a_handler_may_delay_other_logins(caplog: pytest.LogCaptureFixture) -> None:
    routes, requests, log = Router(), list[Request](), io.StringIO()

    @routes.post("/login")
    def login(request: Request) -> Response:
        requests.append(request)
        raise LoginError(403, "wrong PIN", user=request.content.decode())

    with Harness(routes, access_log=log) as server:
        client = server.connect()
        client.send(request("/login", "Content-Length: 4", method="POST") + b"an")
        server.clock.advance(3.0)
        client.send(b"na")
        client.assert_open()
        assert requests[0].content == b"", "the body is kept during the delay"
        server.clock.advance(FIRST_INTERVAL)
        assert client.assert_responds(403).content == b"wrong PIN\n"
    assert log.getvalue().endswith(' "-" "-" 3250000 c1#1\n')
    assert caplog.messages == ["failed login from 127.0.0.1 as 'anna'"]


# Bodies: refused before they are received, as without a delay.

FRAMING = {
    "short": ("Content-Length: 5", b"hello"),
    "long": ("Content-Length: 1073741824", b"x" * 300_000),
    "chunked": ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("path", ["/post", "/none", "/"])
@pytest.mark.parametrize("framing", FRAMING)
@pytest.mark.parametrize("sent", ["with the head", "later"])
def test_a_body_is_not_received_while_the_response_is_delayed(
    server: Guarded, client: Client, path: str, framing: str, sent: str
) -> None:
    line, body = FRAMING[framing]
    head = request(path, WRONG, line, method="POST")
    client.sock.setblocking(False)
    size = client.sock.send(head + body if sent == "with the head" else head)
    server.run()
    size += client.sock.send(body) if sent == "later" else 0
    server.run()
    client.assert_open()
    assert client.connection.unparsed <= server.settings.max_head + server.settings.turn_read
    assert server.run() == 0, "refused bytes cause turns"
    server.clock.advance(FIRST_INTERVAL)
    answer = client.assert_responds(401)
    keeps = framing == "short"
    assert client.closed is not keeps
    assert ("connection" in answer.headers) is not keeps
    assert server.sink.steps == []
    if keeps:
        assert client.get("/", RIGHT).content == b"content"


@pytest.mark.parametrize("path", ["/post", "/none"])
def test_a_delayed_client_is_not_invited_to_send_its_body(server: Guarded, client: Client, path: str) -> None:
    client.send(request(path, WRONG, "Content-Length: 5", "Expect: 100-continue", method="POST"))
    client.assert_open()
    server.clock.advance(FIRST_INTERVAL)
    client.assert_responds(401)
    assert client.closed


def test_a_long_body_stays_with_the_client(server: Guarded, client: Client) -> None:
    client.send(request("/post", WRONG, "Content-Length: 1073741824", method="POST"))
    with suppress(BlockingIOError):
        for _ in range(256):
            client.sock.send(bytes(65536))
            server.run()
        raise AssertionError("the server receives 16 MiB of a refused body")
    assert client.connection.interest == Interest.NONE
    server.clock.advance(FIRST_INTERVAL)
    client.assert_responds(401)


# Clients that leave, the connection limit, and shutdown.


def test_a_client_that_leaves_frees_everything(server: Guarded) -> None:
    gc.collect()
    gc.disable()  # released without a garbage collection
    for _ in range(1000):
        client = server.connect()
        client.send(GET() + GET())
        client.close()
        server.clients.clear()
        assert client.connection.state is State.CLOSED
    left = [each for each in gc.get_objects() if isinstance(each, DelayedResponse | Connection)]
    gc.enable()
    own = (each for each in left if isinstance(each, DelayedResponse) or each._context is server.context)
    assert list(own) == [client.connection]
    assert server.context.abandoned == {}
    assert server.reactor._deadlines.next(10) == []
    assert len(server.reactor._deadlines) < 200, "stale entries of cancelled timers"
    assert server.statuses == ["499"] * 1000


@pytest.mark.parametrize("path", ["/post", "/none"])
def test_a_client_may_leave_behind_further_bytes(server: Guarded, path: str) -> None:
    for data in (GET(), request(path, WRONG, "Content-Length: 5", method="POST")):
        client = server.connect()
        client.send(data)
        client.send(b"later")
        client.close()
        assert client.connection.state is State.CLOSED
    assert server.statuses == ["499", "499"]


def test_a_stop_ends_all_delays(server: Guarded, client: Client) -> None:
    client.send(GET() + GET())
    late = server.connect()
    late.send(request("/post", WRONG, "Content-Length: 5", method="POST"))
    server.context.enter(ServerState.STOPPING)
    for connection in list(server.context.connections.values()) * 2:
        connection.stop()
    answers = client.responses()
    assert [(each.status, each.headers.get("connection")) for each in answers] == [
        (401, None),
        (401, "close"),
    ]
    late.assert_responds(401)
    assert client.closed
    assert server.context.failed_logins.refuse("127.0.0.1", LoginError(401, "", (), "anna"), 1000.0)[0] > 1


def test_at_the_connection_limit_delayed_connections_are_closed_first() -> None:
    routes = AuthRouter(digest("anna:right"))
    routes.get("/")(lambda _: Response(200))
    with Site(limit=4, routes=routes) as site:
        served, silent, *failed = site.connect_each(4)
        served.send(request("/", RIGHT))
        failed[0].send(GET())
        failed[1].send(request("/post", WRONG, "Content-Length: 1073741824", method="POST"))
        failed[1].send(bytes(1000))
        failed[1].send(bytes(1000))  # left in the socket, unread
        newer = site.connect_each(2)
        assert [client.held for client in (served, silent, *failed, *newer)] == [
            *(True, True),
            *(False, False),
            *(True, True),
        ]


def test_guesses_on_all_connections_do_not_keep_others_out() -> None:
    routes = AuthRouter(digest("anna:right"))
    routes.get("/")(lambda _: Response(200))
    with Site(limit=2, routes=routes) as site:
        failed = site.connect_each(2)
        for client in failed:
            client.send(GET())
        (owner,) = site.connect_each(1)
        owner.send(request("/", RIGHT))
        assert owner.read().startswith(b"HTTP/1.1 200 ")
        assert [client.held for client in failed] == [False, True]

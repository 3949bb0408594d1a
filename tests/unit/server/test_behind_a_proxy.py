"""Requests of trusted proxies, and the same bytes from any other peer, which change nothing."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reactor.allowed_hosts import AllowedHosts
from reactor.basic_auth import AuthRouter, digest
from reactor.handlers.files.csrf import require_same_origin
from reactor.http11.message import Request, Response
from reactor.observe.metrics import Metrics
from reactor.routing import Router
from reactor.wsgi import mount
from tests.support.in_process import Client, Harness
from tests.support.requests import request
from tests.unit.wsgi.sites import Fixed

PROXY, OTHER = "192.0.2.99", "192.0.2.1"
CLIENT = "203.0.113.7"
FIELDS = (
    f"X-Forwarded-For: 198.51.100.66, {CLIENT}",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: files.example:8443",
    "X-Forwarded-Prefix: /share",
)
STANDARD = (f'Forwarded: for="{CLIENT}:4711";proto=https;host="files.example:8443"',)
SEEN_BY_OTHERS = {"peer": OTHER, "scheme": "http", "host": "test", "field": "test", "prefix": ""}
SEEN_BY_PROXY = {
    "peer": CLIENT,
    "scheme": "https",
    "host": "files.example:8443",
    "field": "files.example:8443",
    "prefix": "/share",
}


def routes_that_show() -> Router:
    """Make a route that returns what the application sees of a request."""
    routes = Router()

    @routes.get("/show")
    def show(request: Request) -> dict[str, str]:
        return {
            "peer": request.peer,
            "scheme": request.scheme,
            "host": request.head.host or "",
            "field": request.headers["host"],
            "prefix": request.prefix,
        }

    @routes.post("/form")
    def form(request: Request) -> str:
        require_same_origin(request, None)
        return "stored"

    return routes


@contextmanager
def behind(**options: object) -> Iterator[tuple[Harness, Client, Client]]:
    """Serve for a trusted proxy, and for another peer."""
    routes = options.pop("routes", None) or routes_that_show()
    with Harness(routes, trusted_proxies=[PROXY], **options) as server:  # type: ignore[arg-type]
        yield server, server.connect(PROXY), server.connect(OTHER)


def seen(client: Client, *lines: str) -> object:
    return json.loads(client.get("/show", *lines).content)


@pytest.mark.parametrize("lines", [FIELDS, STANDARD, (*FIELDS[:3], *STANDARD)])
def test_only_the_fields_of_a_trusted_proxy_count_in_any_order(lines: tuple[str, ...]) -> None:
    expected = {**SEEN_BY_PROXY, "prefix": "/share" if "X-Forwarded-Prefix: /share" in lines else ""}
    with behind() as (_, proxy, other):
        for _ in range(3):  # the same bytes: the head is cached from the second time on
            assert seen(other, *lines) == SEEN_BY_OTHERS
            assert seen(proxy, *lines) == expected
            assert seen(proxy) == {**SEEN_BY_OTHERS, "peer": PROXY}
    with behind() as (_, proxy, other):
        for _ in range(3):
            assert seen(proxy, *lines) == expected
            assert seen(other, *lines) == SEEN_BY_OTHERS


def test_without_trusted_proxies_the_fields_have_no_meaning() -> None:
    with Harness(routes_that_show()) as server:
        assert seen(server.connect(PROXY), *FIELDS) == {**SEEN_BY_OTHERS, "peer": PROXY}


def test_a_unix_socket_is_trusted_by_name() -> None:
    with Harness(routes_that_show(), trusted_proxies=["unix"]) as server:
        for _ in range(3):
            assert seen(server.connect("unix"), *FIELDS) == SEEN_BY_PROXY
            assert seen(server.connect(OTHER), *FIELDS) == SEEN_BY_OTHERS
        assert seen(server.connect("unix")) == {**SEEN_BY_OTHERS, "peer": "unix"}


def test_two_proxies_that_send_the_same_bytes_are_told_apart() -> None:
    with Harness(routes_that_show(), trusted_proxies=[PROXY, OTHER]) as server:
        clients = {peer: server.connect(peer) for peer in (PROXY, OTHER)}
        for _ in range(3):
            for peer, client in clients.items():
                assert seen(client, "X-Forwarded-For: unknown") == {**SEEN_BY_OTHERS, "peer": peer}


@pytest.mark.parametrize("first", ["proxy", "other"])
def test_the_allowed_host_is_decided_for_each_peer(first: str) -> None:
    line = "X-Forwarded-Host: files.example"
    hosts = AllowedHosts(["files.example"])
    with behind(allowed_hosts=hosts) as (_, proxy, other):
        pairs = [(proxy, 200), (other, 403)]
        for client, status in pairs if first == "proxy" else pairs[::-1]:
            for _ in range(3):
                client.send(request("/show", line))
                client.assert_responds(status)
    with behind(allowed_hosts=AllowedHosts(["test"])) as (_, proxy, other):
        pairs = [(proxy, 403), (other, 200)]
        for client, status in pairs if first == "proxy" else pairs[::-1]:
            for _ in range(3):
                client.send(request("/show", line))
                client.assert_responds(status)


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 403), ("::1", 403), ("unix", 200), (PROXY, 200)])
def test_a_page_cannot_name_an_allowed_host_for_a_browser_of_this_machine(peer: str, status: int) -> None:
    """With DNS rebinding, the browser connects from a loopback address, and sends any X-Forwarded-Host."""
    trusted, hosts = ["127.0.0.1", "::1", "unix", PROXY], AllowedHosts(["files.example"])
    line = "X-Forwarded-Host: files.example"
    with Harness(routes_that_show(), trusted_proxies=trusted, allowed_hosts=hosts) as server:
        client = server.connect(peer)
        for _ in range(3):
            client.send(request("/show", line))
            client.assert_responds(status)
        client.send(request("/show", line).replace(b"Host: test", b"Host: localhost"))
        assert json.loads(client.assert_responds().content)["host"] == "files.example"


@pytest.mark.parametrize("log_format", ["combined", "json"])
def test_the_access_log_has_the_client_of_each_request(log_format: str) -> None:
    log = io.StringIO()
    with behind(access_log=log, log_format=log_format) as (server, proxy, other):
        for client in (proxy, other):
            for _ in range(3):
                client.get("/show", *FIELDS)
            client.get("/show")
            client.send(b"BAD\r\n\r\n")
        server.run()
    peers = re.findall(r'^(\S+) - - |"peer": "([^"]+)"', log.getvalue(), re.MULTILINE)
    assert ["".join(each) for each in peers] == [CLIENT] * 3 + [PROXY] * 2 + [OTHER] * 5


def test_metrics_are_labelled_with_the_scheme() -> None:
    metrics = Metrics()
    with behind(subscribers=[metrics]) as (server, proxy, other):
        proxy.get("/show", *FIELDS)
        other.get("/show", *FIELDS)
        families = metrics.families(server.context)
    counts = [labels for labels, _ in families[0].series]
    assert [dict(each)["url_scheme"] for each in counts] == ["http", "https"]
    assert CLIENT not in str(families)


def wrong_password(number: int) -> str:
    return f"Authorization: Basic {b64encode(f'anna:{number}'.encode()).decode()}"


def test_failed_logins_of_two_clients_behind_one_proxy_are_counted_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with behind(routes=AuthRouter(digest("anna:right"))) as (server, _, _):
        guesser, owner = (server.connect(PROXY) for _ in range(2))
        for number in range(4):
            guesser.send(request("/", f"X-Forwarded-For: {CLIENT}", wrong_password(number)))
            server.clock.advance(2.0)
            guesser.assert_responds(401)
        guesser.send(request("/", f"X-Forwarded-For: {CLIENT}", wrong_password(9)))
        owner.send(request("/", "X-Forwarded-For: 203.0.113.8", wrong_password(0)))
        server.clock.advance(0.25)
        owner.assert_responds(401)
        guesser.assert_open()
        spoofer = server.connect(OTHER)
        spoofer.send(request("/", f"X-Forwarded-For: {CLIENT}", wrong_password(0)))
        server.clock.advance(0.25)
        spoofer.assert_responds(401)
    logged = [re.sub(r" as .*", "", message) for message in caplog.messages if "failed login" in message]
    assert logged == [
        *[f"failed login from {CLIENT}"] * 3,
        "failed login from 203.0.113.8",
        f"failed login from {OTHER}",
    ]


@pytest.mark.parametrize(
    ("peer", "origin", "status"),
    [
        (PROXY, "https://files.example:8443", 200),
        (PROXY, "https://test", 403),
        (OTHER, "https://files.example:8443", 403),
        (OTHER, "http://test", 200),
    ],
)
def test_the_origin_of_a_form_is_compared_with_the_host_of_the_client(
    peer: str, origin: str, status: int
) -> None:
    with behind() as (server, _, _):
        client = server.connect(peer)
        client.send(request("/form", *FIELDS, f"Origin: {origin}", method="POST", content=b"x"))
        client.assert_responds(status)


def test_a_contradiction_is_400_and_the_connection_of_the_proxy_stays_open() -> None:
    lines = (f"X-Forwarded-For: {CLIENT}", "Forwarded: for=198.51.100.66")
    log = io.StringIO()
    with behind(access_log=log) as (_, proxy, other):
        for _ in range(3):
            proxy.send(request("/form", *lines, method="POST", content=b"x" * 100))
            answer = proxy.assert_responds(400)
            assert b"name different clients" in answer.content
            assert seen(proxy, *FIELDS) == SEEN_BY_PROXY
            assert seen(other, *lines) == SEEN_BY_OTHERS
    assert [line.split()[0] for line in log.getvalue().splitlines()] == [PROXY, CLIENT, OTHER] * 3


def test_each_pipelined_request_has_its_own_client() -> None:
    log = io.StringIO()
    clients = [f"203.0.113.{number}" for number in range(1, 6)]
    with behind(access_log=log) as (_, proxy, _):
        proxy.send(b"".join(request("/show", f"X-Forwarded-For: {each}") for each in clients))
        assert [json.loads(each.content)["peer"] for each in proxy.responses()] == clients
    assert [line.split()[0] for line in log.getvalue().splitlines()] == clients


def test_an_application_may_redirect_below_the_prefix() -> None:
    routes = Router()
    routes.get("/old")(lambda request: Response.redirect(request.prefix + "/new"))
    with behind(routes=routes) as (_, proxy, other):
        locations = []
        for client in (proxy, other):
            client.send(request("/old", *FIELDS))
            locations.append(client.assert_responds(302).headers["location"])
    assert locations == ["/share/new", "/new"]


@pytest.mark.parametrize("first", ["proxy", "other"])
def test_a_target_with_https_needs_a_proxy_with_tls(first: str) -> None:
    target, lines = "https://files.example/show", ("X-Forwarded-Proto: https",)
    with behind() as (_, proxy, other):
        pairs = [(proxy, 200), (other, 421)]
        for client, status in pairs if first == "proxy" else pairs[::-1]:
            for _ in range(3):
                client.send(request(target, *lines))
                answer = client.assert_responds(status)
                assert status == 421 or json.loads(answer.content)["host"] == "files.example"
                client.send(request(target))
                client.assert_responds(421)


def test_the_asterisk_form_with_https_needs_a_proxy_with_tls() -> None:
    head = b"OPTIONS https://files.example HTTP/1.1\r\nHost: files.example\r\n"
    with behind() as (_, proxy, other):
        for client, status in ((proxy, 204), (other, 421)):
            client.send(head + b"X-Forwarded-Proto: https\r\n\r\n")
            client.assert_responds(status)


@pytest.mark.parametrize("target", ["/own/show", "http://files.example/own/show"])
def test_the_prefix_of_the_server_is_that_of_every_form_of_target(target: str) -> None:
    with behind(prefix="/own") as (_, proxy, other):
        for client in (proxy, other):
            client.send(request(target))
            assert json.loads(client.assert_responds().content)["prefix"] == "/own"


# WSGI.


def environ(peer: str, *lines: str, path: str = "/shop/a", prefix: str = "") -> dict[str, object]:
    app, routes = Fixed([b""]), Router()
    mount(routes, app, "/shop", in_loop=True)
    with behind(routes=routes, prefix=prefix) as (server, _, _):
        client = server.connect(peer)
        client.send(request(path, *lines))
        client.assert_responds()
    (found,) = app.environ
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "SERVER_NAME")
    return {name: found[name] for name in (*names, "SERVER_PORT")}


PLAIN = {
    "REMOTE_ADDR": OTHER,
    "wsgi.url_scheme": "http",
    "SCRIPT_NAME": "/shop",
    "PATH_INFO": "/a",
    "HTTP_HOST": "test",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
}


def test_the_environ_of_a_forwarded_request() -> None:
    assert environ(OTHER, *FIELDS) == PLAIN
    assert environ(PROXY, *FIELDS) == {
        "REMOTE_ADDR": CLIENT,
        "wsgi.url_scheme": "https",
        "SCRIPT_NAME": "/share/shop",
        "PATH_INFO": "/a",
        "HTTP_HOST": "files.example:8443",
        "SERVER_NAME": "files.example",
        "SERVER_PORT": "8443",
    }
    of_test = {"SERVER_NAME": "test", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}
    assert environ(PROXY, "X-Forwarded-Proto: https") == {**PLAIN, "REMOTE_ADDR": PROXY, **of_test}
    assert environ(PROXY, f"X-Forwarded-For: {CLIENT}") == {**PLAIN, "REMOTE_ADDR": CLIENT}


def test_the_environ_behind_the_prefix_of_the_server() -> None:
    found = environ(OTHER, path="/caf%C3%A9/shop/a", prefix="/caf%C3%A9")
    assert found == {**PLAIN, "SCRIPT_NAME": "/caf\xc3\xa9/shop"}
    found = environ(PROXY, "X-Forwarded-Prefix: /outer", path="/own/shop/a", prefix="/own")
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/outer/own/shop", "/a")

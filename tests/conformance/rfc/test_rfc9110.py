"""RFC 9110: what it asks of methods, statuses and routing, and no other test shows."""

from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.message import Response
from reactor.routing import Router
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import CANARY, answering, chunks, request


def ask(client: Client, data: bytes, method: str = "GET") -> Answer:
    client.send(data)
    [answer] = client.responses(method)
    assert client.received == b""
    return answer


# 3.3 and 5.3: a request is independent, and complete before the server acts on it.


def test_requests_on_one_connection_are_independent() -> None:
    with Harness() as server:
        client = server.connect()
        first = client.get("/user-agent", "User-Agent: first", "Accept-Encoding: gzip", "X: y")
        assert first.content == b"first"
        assert client.get("/user-agent").content == b""
        assert client.get("/echo/a", "Accept-Encoding: gzip").headers["content-encoding"] == "gzip"
        assert "content-encoding" not in client.get("/echo/a").headers
        client.send(request("/echo/a").replace(b"Host: test\r\n", b""))
        client.assert_responds(400)


def test_no_handler_is_called_before_the_head_is_complete() -> None:
    calls: list[str] = []
    routes = Router()
    routes.get("/")(lambda _: calls.append("called") or Response(200))  # type: ignore[func-returns-value]
    data = request("/", "X: y")
    with Harness(routes) as server:
        client = server.connect()
        for byte in data[:-1]:
            client.send(bytes([byte]))
            assert calls == []
        client.send(data[-1:])
        client.assert_responds(200)
        assert calls == ["called"]


# 7: routing.


@pytest.mark.parametrize("target", ["https://test/echo/a", "HTTPS://test:443/", "https://test"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_an_https_target_without_tls_is_421(target: str, version: str) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request(target, version=version))
        client.assert_responds(421)


@pytest.mark.parametrize("target", ["https:///", "https://:443/", "https://?a"])
def test_an_https_target_without_a_host_is_refused(target: str) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request(target))
        client.assert_responds(400)


UPGRADES = ["websocket", "h2c", "HTTP/2.0, TLS/1.3", "HTTP/1.1"]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_an_upgrade_is_ignored(upgrade: str, version: str) -> None:
    with Harness() as server:
        client = server.connect()
        lines = (f"Upgrade: {upgrade}", "Connection: Upgrade, keep-alive", "HTTP2-Settings: AAMAAABk")
        answer = ask(client, request("/echo/a", *lines, version=version))
        assert (answer.status, answer.content) == (200, b"a")
        assert "upgrade" not in answer.headers
        assert client.get("/echo/b").content == b"b"


def test_expect_with_upgrade_is_answered_in_http_1_1() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        lines = ("Upgrade: websocket", "Connection: Upgrade", "Expect: 100-continue", "Content-Length: 5")
        client.send(request("/post", *lines, method="POST"))
        assert client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.received = b""
        assert ask(client, b"hello").content == b"hello"


# 9: methods.


@pytest.mark.parametrize("path", ["/", "/echo/a", "/user-agent", "/files/file"])
def test_every_resource_supports_get_and_head(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    store = Store(tmp_path)
    with Harness(store=store) as server:
        client = server.connect()
        assert ask(client, request(path)).status == 200
        assert ask(client, request(path, method="HEAD"), "HEAD").status == 200
    store.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("name", ["file", "none"])
def test_a_safe_method_does_not_change_files(method: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    store = Store(tmp_path)
    with Harness(store=store) as server:
        client = server.connect()
        client.send(request(f"/files/{name}", method=method, content=b"other"))
        [answer] = client.responses(method)
        assert answer.status in (200, 204, 404, 405)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_bytes() == b"content"
    store.close()


def test_trace_is_405_and_does_not_echo_the_request() -> None:
    with Harness() as server:
        answer = ask(server.connect(), request("/", "Cookie: secret", method="TRACE"), "TRACE")
        assert answer.status == 405
        assert b"secret" not in answer.content
        assert "TRACE" not in answer.headers["allow"]


# 15: statuses.


ERRORS = {
    400: b"GET / HTTP/1.1\r\n\r\n",
    404: request("/none"),
    405: request("/", method="DELETE"),
    413: request("/post", f"Content-Length: {2**40}", method="POST"),
    414: request("/" + "a" * 9000),
    417: request("/", "Expect: a miracle"),
    431: request("/", "X: " + "a" * 9000),
    500: request("/0"),
    501: request("/", method="BREW"),
    505: request("/", version="HTTP/3.0"),
}


@pytest.mark.parametrize(("status", "data"), ERRORS.items(), ids=[str(status) for status in ERRORS])
def test_an_error_has_its_reason_in_the_body(status: int, data: bytes) -> None:
    routes = answering(lambda: Response(1000))  # which is not a status, and so a 500
    routes.get("/")(lambda _: Response(200))
    with Harness(routes) as server:
        client = server.connect()
        answer = ask(client, data)
        assert answer.status == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["date"]
        assert len(answer.content.split()) >= 3


def test_a_505_lists_the_supported_versions() -> None:
    with Harness() as server:
        content = ask(server.connect(), request("/", version="HTTP/2.0")).content
        assert b"HTTP/1.0" in content
        assert b"HTTP/1.1" in content


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("status", [100, 101, 102, 103])
def test_a_handler_cannot_send_an_interim_response(status: int, version: str) -> None:
    with Harness(answering(lambda: Response(status))) as server:
        assert ask(server.connect(), request("/0", version=version)).status == 500


@pytest.mark.parametrize("end", [b"", b"X: y\r\n", b"Host: other\r\nContent-Length: 100\r\n"])
def test_an_unannounced_trailer_field_is_ignored(end: bytes) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        head = request("/post", "Transfer-Encoding: chunked", "Trailer: Y", method="POST")
        client.send(head + chunks(b"hello")[:-2] + end + b"\r\n" + CANARY)
        assert [answer.content for answer in client.responses()] == [b"hello", b"the canary sings"]

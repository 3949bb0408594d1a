"""No view of the inspector contains the secrets of a request: events, one connection, all connections."""

import json

import pytest

from reactor.inspector.routes import endpoints
from reactor.observe.metrics import Metrics
from tests.unit.inspector.in_process import InProcess

SECRET = "c2VjcmV0"
REQUESTS = (
    f"GET /echo/a?token={SECRET}&page=2 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {SECRET}\r\n"
    f"Referer: http://localhost/?api%5Fkey={SECRET}\r\nCookie: a={SECRET}\r\n\r\n"
    f"GET http://localhost/nowhere?auth={SECRET} HTTP/1.1\r\nHost: localhost\r\n"
    f"Proxy-Authorization: Basic {SECRET}\r\n\r\n"
).encode()


@pytest.mark.parametrize("ending", ["whole", "pipelined and partial", "refused", "closed"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_no_view_contains_a_secret(size: int, ending: str) -> None:
    metrics = Metrics()
    with InProcess(served_subscribers=[metrics], installers=[endpoints(metrics)]) as site:
        page = site.open_page()
        client = site.connect()
        data = REQUESTS
        if ending == "pipelined and partial":
            data += REQUESTS[:-6]
        elif ending == "refused":
            data += REQUESTS.replace(b"Host", b"Host : x\r\nX")
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        if ending == "closed":
            client.close()
        site.pass_time(1)
        views = [site.request("GET", path).content for path in ("/connections/1", "/connections", "/metrics")]
        shown = [text for _, _, _, text in json.loads(views[0])["traffic"]]
        views.append(page.read())
    assert not any(SECRET[-5:].encode() in view for view in views)
    assert not any(SECRET[start : start + 4] in "".join(shown) for start in range(5))
    if size == 10_000:
        assert "GET /echo/a?token=[hidden]&page=2 HTTP/1.1\\r\\n" in shown[0]
        assert "X-Api-Key: [hidden]\\r\\n" in shown[0]
        assert "http://localhost/nowhere?auth=[hidden] HTTP/1.1" in shown[0]


@pytest.mark.parametrize(
    "head", ["POST / HTTP/1.1\r\n\r\n", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", "POST /\r\n\r\n"]
)
def test_what_follows_a_refused_request_is_hidden(head: str) -> None:
    """It may be the body of that request."""
    with InProcess() as site:
        site.open_page()
        client = site.connect()
        client.send(head.encode())
        client.send(f"{SECRET}\r\n".encode())
        content = site.request("GET", "/connections/1").content
    assert SECRET.encode() not in content
    assert f"[{len(SECRET) + 2} B hidden]".encode() in content

"""What the connections of a server share is renewed by the event that changes it."""

import pytest

from reactor.http11.message import Request, Response
from reactor.routing import Router
from reactor.server.context import ServerContext
from tests.support.in_process import Harness
from tests.support.requests import request


@pytest.mark.parametrize(("method", "before"), [("GET", 404), ("POST", 404), ("DELETE", 405)])
def test_a_route_added_later_applies_to_requests_whose_heads_are_cached(method: str, before: int) -> None:
    routes = Router()
    routes.get("/{anything}/never")(lambda _: Response(200))
    if before == 405:
        routes.get("/late")(lambda _: Response(200))
    data = request("/late", method=method, content=b"x" * (method == "POST"))
    with Harness(routes) as server:
        clients = [server.connect(), server.connect()]
        for client in clients * 3:
            client.send(data)
            client.assert_responds(before)
        routes.route(method, "/late")(lambda _: Response(200, b"added"))
        for client in clients * 2:
            client.send(data)
            assert client.assert_responds(200).content == b"added"


def test_a_more_specific_route_added_later_takes_over() -> None:
    routes = Router()
    routes.get("/{name}")(lambda request: Response(200, request.params["name"].encode()))
    with Harness(routes) as server:
        client = server.connect()
        assert [client.get("/late").content for _ in range(3)] == [b"late"] * 3

        @routes.get("/late")
        def added(request: Request) -> Response:
            return Response(200, f"{request.route} {dict(request.params)}".encode())

        assert client.get("/late").content == b"/late {}"


@pytest.mark.parametrize("seconds", [0.4, 1, 60])
def test_the_date_of_cached_responses_is_that_of_the_current_second(seconds: float) -> None:
    with Harness() as server:
        client = server.connect()
        dates = []
        for _ in range(4):
            dates.append(client.get("/").headers["date"])
            server.wall += seconds
            server.clock.advance(seconds)
        assert len(set(dates)) == (2 if seconds < 1 else 4)


def test_the_headers_of_every_response_are_encoded_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    renew, renewed = ServerContext.renew_common_headers, []

    def counting(self: ServerContext) -> None:
        renewed.append(server.wall)
        renew(self)

    monkeypatch.setattr(ServerContext, "renew_common_headers", counting)
    with Harness() as server:
        client = server.connect()
        for seconds, expected in ((0.0, 1), (0.5, 1), (0.25, 1), (0.5, 2), (0.5, 2), (0.5, 3)):
            server.wall += seconds
            server.clock.advance(seconds)
            client.get("/")
            client.get("/echo/a")
            assert len(renewed) == expected

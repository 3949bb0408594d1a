"""Routing: the handler and path parameters of a request, and the errors."""

from collections.abc import Sequence

import pytest

from reactor.http11.message import Params, Request, Response
from reactor.routing import METHODS, Route, Router, buffered
from tests.support.in_process import Answer, Harness
from tests.support.requests import request


def routes_for(*patterns: str) -> Router:
    """Make routes whose responses contain their pattern and the path parameters."""
    routes = Router()
    for pattern in patterns:

        @routes.get(pattern)
        def answer(request: Request, pattern: str = pattern) -> Response:
            parts = " ".join(f"{name}={value}" for name, value in sorted(request.params.items()))
            return Response(200, f"{pattern} {parts}".strip().encode())

    return routes


def ask(routes: Router, method: str, target: str, lines: str = "", content: bytes = b"") -> Answer:
    with Harness(routes) as server:
        client = server.connect()
        head = f"{method} {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n"
        client.send(head.encode("latin-1") + content)
        (answer,) = client.responses(method)
        return answer


def assert_answers(routes: Router, target: str, text: str) -> None:
    answer = ask(routes, "GET", target)
    assert (answer.status, answer.content.decode()) == (200, text)


def assert_responds(status: int, routes: Router, method: str, target: str) -> Answer:
    answer = ask(routes, method, target)
    assert answer.status == status
    return answer


@pytest.mark.parametrize(
    ("patterns", "target", "text"),
    [
        (["/"], "/", "/"),
        (["/a"], "/a", "/a"),
        (["/a/b"], "/a/b?c=d", "/a/b"),
        (["/a/"], "/a/", "/a/"),
        (["/{x}"], "/1", "/{x} x=1"),
        (["/{x}/{y}"], "/1/2", "/{x}/{y} x=1 y=2"),
        (["/a/{x}/b"], "/a/1/b", "/a/{x}/b x=1"),
        (["/{x...}"], "/1/2/3", "/{x...} x=1/2/3"),
        (["/{x...}"], "/", "/{x...} x="),
        (["/a/{x...}"], "/a/", "/a/{x...} x="),
        (["/a/{x...}"], "/a/b/", "/a/{x...} x=b/"),
        (["/a/{x...}"], "/a//b", "/a/{x...} x=/b"),
        (["/{x}/{y...}"], "/1/2/3", "/{x}/{y...} x=1 y=2/3"),
    ],
)
def test_a_pattern_captures_parts_of_a_path(patterns: list[str], target: str, text: str) -> None:
    assert_answers(routes_for(*patterns), target, text)


@pytest.mark.parametrize("turned", [False, True], ids=["as listed", "in reverse"])
@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/a/b", "/a/b"),
        ("/a/c", "/a/{x} x=c"),
        ("/a/b/c", "/a/{x...} x=b/c"),
        ("/a/", "/a/{x...} x="),
        ("/z", "/{x} x=z"),
        ("/a", "/{x} x=a"),
        ("/z/b", "/{x...} x=z/b"),
        ("/", "/{x...} x="),
    ],
)
def test_literals_precede_names_and_names_precede_the_rest(target: str, text: str, turned: bool) -> None:
    patterns = ["/a/b", "/a/{x}", "/a/{x...}", "/{x}", "/{x...}"]
    assert_answers(routes_for(*(reversed(patterns) if turned else patterns)), target, text)


@pytest.mark.parametrize(
    ("patterns", "target", "text"),
    [
        (["/a/b/c", "/{x}/b/d"], "/a/b/d", "/{x}/b/d x=a"),
        (["/a/b/c", "/a/{x}/d"], "/a/b/d", "/a/{x}/d x=b"),
        (["/a/{x}/c", "/a/{y...}"], "/a/b/d", "/a/{y...} y=b/d"),
        (["/a/{x}/c", "/{z}/{y...}"], "/a/b/d", "/{z}/{y...} y=b/d z=a"),
        (["/a/b/{x}/c", "/a/{y}/{z}/d", "/{r...}"], "/a/b/1/d", "/a/{y}/{z}/d y=b z=1"),
        (["/a/b/{x}/c", "/a/{y}/{z}/d", "/{r...}"], "/a/b/1/e", "/{r...} r=a/b/1/e"),
    ],
)
def test_matching_backtracks(patterns: list[str], target: str, text: str) -> None:
    assert_answers(routes_for(*patterns), target, text)


@pytest.mark.parametrize(
    ("patterns", "target", "text"),
    [
        (["/{x}"], "/a%2Fb", "/{x} x=a/b"),
        (["/{x}/{y}"], "/a%2fb/c", "/{x}/{y} x=a/b y=c"),
        (["/a/b", "/{x}"], "/a%2Fb", "/{x} x=a/b"),
        (["/{x...}"], "/a%2Fb/c", "/{x...} x=a/b/c"),
        (["/a b"], "/a%20b", "/a b"),
        (["/{x}"], "/%C3%A9", "/{x} x=é"),
        (["/{x}"], "/a+b", "/{x} x=a+b"),
        (["/{x}"], "/%2520", "/{x} x=%20"),
    ],
)
def test_a_path_is_split_before_it_is_decoded(patterns: list[str], target: str, text: str) -> None:
    assert_answers(routes_for(*patterns), target, text)


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/a", "/"),
        ("/a", "/A"),
        ("/a", "//a"),
        ("/a/b", "/a//b"),
        ("/{x}", "/"),
        ("/a/{x}/b", "/a//b"),
        ("/a/{x}", "/a/"),
        ("/a/{x}", "/a"),
        ("/a/{x...}", "/a"),
        ("/a/{x}", "/a/b/c"),
        ("/a/b/c", "/a/b"),
    ],
)
def test_an_unmatched_path_is_not_found(pattern: str, target: str) -> None:
    assert_responds(404, routes_for(pattern), "GET", target)


# Invalid patterns.


@pytest.mark.parametrize(
    "pattern",
    ["", "a", "{x}", "/{}", "/{...}", "/{x", "/{x..}", "/{x....}", "/{1x}", "/{x-y}", "/{x}y", "/{x...}/y"],
)
def test_an_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Router().get(pattern)(lambda request: Response())


@pytest.mark.parametrize(
    ("first", "second"), [("/{x}", "/{y}"), ("/{x...}", "/{y...}"), ("/{x}/a", "/{y}/b")]
)
def test_two_names_at_one_position_are_refused(first: str, second: str) -> None:
    with pytest.raises(ValueError, match="another pattern"):
        routes_for(first, second)


@pytest.mark.parametrize("pattern", ["/", "/a", "/{x}", "/a/{x...}"])
def test_a_second_handler_for_a_route_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="already"):
        routes_for(pattern, pattern)


@pytest.mark.parametrize("method", ["get", "BREW", "CONNECT", ""])
def test_an_invalid_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="invalid method"):
        Router().route(method, "/")


def test_routers_share_no_state() -> None:
    first, second = routes_for("/a"), routes_for("/b")
    assert_answers(first, "/a", "/a")
    assert_responds(404, first, "GET", "/b")
    assert_responds(404, second, "GET", "/a")


# Methods.


def several_methods() -> Router:
    routes = routes_for("/both", "/get")
    routes.post("/both")(lambda request: Response(201))
    routes.post("/post")(lambda request: Response(201))
    routes.delete("/both")(lambda request: Response(204))
    return routes


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/both", 200),
        ("HEAD", "/both", 200),
        ("POST", "/both", 201),
        ("DELETE", "/both", 204),
        ("PUT", "/both", 405),
        ("POST", "/get", 405),
        ("GET", "/post", 405),
        ("HEAD", "/post", 405),
        ("PUT", "/none", 404),
        ("DELETE", "/none", 404),
        ("BREW", "/both", 501),
        ("BREW", "/none", 501),
        ("get", "/both", 501),
    ],
)
def test_a_method_calls_its_handler(method: str, target: str, status: int) -> None:
    assert_responds(status, several_methods(), method, target)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/both", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
        ("/get", {"GET", "HEAD", "OPTIONS"}),
        ("/post", {"POST", "OPTIONS"}),
    ],
)
@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("OPTIONS", 204)])
def test_allow_lists_the_methods_of_a_path(target: str, allowed: set[str], method: str, status: int) -> None:
    answer = assert_responds(status, several_methods(), method, target)
    listed = answer.headers["allow"].split(", ")
    assert set(listed) == allowed
    assert len(listed) == len(allowed)


def test_options_asterisk_lists_all_methods() -> None:
    answer = assert_responds(204, several_methods(), "OPTIONS", "*")
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(answer.headers["allow"].split(", ")) <= set(METHODS)


def test_the_limits_of_routes_are_sent_with_options_and_413() -> None:
    routes, limits = Router(), (("Upload-Limit", "max-size=3"), ("A", "b"))
    routes.get("/x")(lambda _: Response())
    routes.post("/x", buffered(3), limits)(lambda _: Response())
    routes.put("/x", buffered(3), limits[:1])(lambda _: Response())
    routes.get("/y")(lambda _: Response())
    assert assert_responds(204, routes, "OPTIONS", "/x").headers["upload-limit"] == "max-size=3"
    assert "upload-limit" not in assert_responds(204, routes, "OPTIONS", "/y").headers
    assert "upload-limit" not in assert_responds(204, routes, "OPTIONS", "*").headers
    with Harness(routes, max_body=5) as server:
        for lines in ("Content-Length: 4", "Content-Length: 6", "Transfer-Encoding: chunked"):
            for method, expected in (("POST", "b"), ("PUT", None), ("GET", None)):
                client = server.connect()
                client.send(f"{method} /x HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode())
                if "chunked" in lines:
                    client.send(b"6\r\n")
                elif method == "GET" and lines.endswith("4"):
                    client.send(b"abcd")  # discarded
                    client.assert_responds(200)
                    continue
                answer = client.assert_responds(413)
                assert answer.headers.get("a") == expected
                assert answer.headers.get("upload-limit") == (None if method == "GET" else "max-size=3")


def test_each_method_has_its_route() -> None:
    routes = Router()
    for method, register in (("POST", routes.post), ("PUT", routes.put), ("PATCH", routes.patch)):
        register("/x")(lambda request: Response(200, request.method.encode() + request.content))
        assert ask(routes, method, "/x", "Content-Length: 1\r\n", b"a").content == method.encode() + b"a"
        register("/limited", buffered(1))(lambda request: Response())
        assert ask(routes, method, "/limited", "Content-Length: 2\r\n", b"ab").status == 413
    routes.delete("/x")(lambda request: Response(200, request.method.encode() + request.content))
    assert ask(routes, "DELETE", "/x", "Content-Length: 1\r\n", b"a").content == b"DELETE"
    assert ask(routes, "GET", "/x").headers["allow"] == "POST, PUT, DELETE, OPTIONS, PATCH"


def test_options_of_an_unknown_path_is_not_found() -> None:
    assert_responds(404, several_methods(), "OPTIONS", "/none")


def test_head_is_get_without_the_body() -> None:
    routes = routes_for("/{x}")
    get, head = ask(routes, "GET", "/a"), ask(routes, "HEAD", "/a")
    assert head.content == b""
    assert head.headers == get.headers


def test_head_may_have_its_own_handler() -> None:
    routes = Router()
    routes.route("HEAD", "/")(lambda request: Response(200, b"", (("X-Own", "1"),)))
    routes.get("/")(lambda request: Response(200))
    assert ask(routes, "HEAD", "/").headers["x-own"] == "1"
    assert "x-own" not in ask(routes, "GET", "/").headers


# Sinks.


def limited_to(limit: int) -> Router:
    routes = Router()
    routes.post("/", sink=buffered(limit))(lambda request: Response(200, request.content))
    return routes


def test_a_body_up_to_the_limit_is_kept_in_memory() -> None:
    answer = ask(limited_to(5), "POST", "/", "Content-Length: 5\r\n", b"12345")
    assert (answer.status, answer.content) == (200, b"12345")
    answer = ask(
        limited_to(5), "POST", "/", "Transfer-Encoding: chunked\r\n", b"2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"
    )
    assert (answer.status, answer.content) == (200, b"12345")


@pytest.mark.parametrize(
    ("lines", "content"),
    [
        ("Content-Length: 6\r\n", b""),
        ("Content-Length: 6\r\nExpect: 100-continue\r\n", b""),
        ("Content-Length: 6\r\n", b"123456"),
        ("Transfer-Encoding: chunked\r\n", b"6\r\n123456\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", b"3\r\n123\r\n3\r\n456\r\n"),
    ],
    ids=["not sent yet", "waiting for 100", "sent", "one chunk", "two chunks, incomplete"],
)
def test_a_body_over_the_limit_is_refused(lines: str, content: bytes) -> None:
    assert ask(limited_to(5), "POST", "/", lines, content).status == 413


def test_without_a_sink_the_body_limit_is_1_mib() -> None:
    routes = Router()
    routes.post("/")(lambda request: Response(200, str(len(request.content)).encode()))
    mib = 1 << 20
    assert ask(routes, "POST", "/", f"Content-Length: {mib}\r\n", bytes(mib)).content == b"1048576"
    assert ask(routes, "POST", "/", f"Content-Length: {mib + 1}\r\n").status == 413


def test_a_route_added_after_a_404_is_found() -> None:
    routes = Router()
    with Harness(routes) as server:
        client = server.connect()
        for _ in range(4):  # until the head and its route are cached, and more
            client.send(request("/late"))
            client.assert_responds(404)
        assert server.context.head_reader.heads
        routes.get("/late")(lambda request: Response(200, b"there"))
        client.send(request("/late"))
        assert client.assert_responds(200).content == b"there"


def test_path_parameters_are_shared_and_read_only() -> None:
    routes = Router()
    routes.get("/a/{name}")(lambda request: Response(200))
    _, params = routes.resolve("GET", ("a", "b"))
    with pytest.raises(TypeError):
        params["name"] = "c"  # type: ignore[index]
    assert dict(params) == {"name": "b"}


def test_a_route_added_during_a_lookup_is_found_next() -> None:
    class AddsRoute(Router):
        adds = False

        def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
            found = super().resolve(method, segments)
            if self.adds:  # as another thread might
                self.adds = False
                self.get("/late")(lambda request: Response.text("late"))
            return found

    routes = AddsRoute()
    with Harness(routes) as server:
        client = server.connect()
        for _ in range(5):  # until its head is in the cache
            client.send(request("/late"))
            client.assert_responds(404)
        routes.get("/other")(lambda request: Response.text("other"))
        routes.adds = True
        client.send(request("/late"))
        client.assert_responds(404)
        client.send(request("/late"))
        client.assert_responds(200)


def test_a_sink_that_is_no_function_is_refused_at_registration() -> None:
    with pytest.raises(TypeError, match=r"invalid sink: 10 \(expected a function, such as buffered"):
        Router().post("/", 10)  # type: ignore[arg-type]

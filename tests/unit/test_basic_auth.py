"""Basic authentication, over sockets: which requests get 401, and what a 401 reveals."""

import logging
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from reactor import handlers
from reactor.basic_auth import MAX_CREDENTIALS, AuthRouter, digest
from reactor.handlers.files.store import Store
from reactor.http11.message import Response
from reactor.routing import METHODS, Router
from reactor.server.failed_logins import FIRST_INTERVAL, MAX_DELAY
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import request
from tests.unit.logs.test_access_log import Log

READER, WRITER = "anna:correct horse", "bert:battery:staple"
CHALLENGE = 'Basic realm="Reactor", charset="UTF-8"'


def basic(credentials: str | bytes, scheme: str = "Basic ") -> str:
    data = credentials.encode() if isinstance(credentials, str) else credentials
    return f"Authorization: {scheme}{b64encode(data).decode()}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "there").write_bytes(b"content")
    one = Store(tmp_path)
    yield one
    one.close()


def protected(auth: str | None = None, upload: str | None = None, store: Store | None = None) -> Router:
    router = AuthRouter(auth and digest(auth), upload and digest(upload), cors=True)  # type: ignore[arg-type]
    return handlers.build(store, routes=router)


def ask(client: Client, method: str, path: str, *lines: str, content: bytes = b"") -> Answer:
    client.send(request(path, *lines, method=method, content=content))
    answers = client.responses(method)
    if not answers:
        client.server.clock.advance(MAX_DELAY)
        answers = client.responses(method)
    [answer] = answers
    return answer


# Which requests are allowed: the table in the docstring of basic_auth.

TABLE = [
    # auth, upload, the user, and the statuses of GET and POST
    (None, None, None, 200, 201),
    (READER, None, None, 401, 401),
    (READER, None, READER, 200, 201),
    (READER, None, WRITER, 401, 401),
    (None, WRITER, None, 200, 401),
    (None, WRITER, WRITER, 200, 201),
    (None, WRITER, READER, 200, 401),
    (READER, WRITER, None, 401, 401),
    (READER, WRITER, READER, 200, 401),
    (READER, WRITER, WRITER, 200, 201),
]


@pytest.mark.parametrize(("auth", "upload", "who", "read", "stored"), TABLE)
def test_methods_require_the_configured_passwords(
    store: Store,
    tmp_path: Path,
    auth: str | None,
    upload: str | None,
    who: str | None,
    read: int,
    stored: int,
) -> None:
    lines = () if who is None else (basic(who),)
    with Harness(protected(auth, upload, store)) as server:
        assert ask(server.connect(), "GET", "/files/there", *lines).status == read
        assert ask(server.connect(), "HEAD", "/files/there", *lines).status == read
        assert ask(server.connect(), "POST", "/files/new", *lines, content=b"new").status == stored
        assert ask(server.connect(), "OPTIONS", "/files/there").status == 204
        assert (tmp_path / "new").exists() == (stored == 201)


@pytest.mark.parametrize(("auth", "upload"), [(READER, None), (READER, WRITER)])
@pytest.mark.parametrize("method", [each for each in (*METHODS, "BREW") if each != "OPTIONS"])
def test_existence_is_not_revealed_without_credentials(
    store: Store, auth: str, upload: str | None, method: str
) -> None:
    answers = []
    with Harness(protected(auth, upload, store)) as server:
        for path in ("/", "/files/there", "/files/missing", "/files/../x", "/none", "/echo/x"):
            content = b"x" if method in ("POST", "PUT", "PATCH") else b""
            answer = ask(server.connect(), method, path, content=content)
            answers.append((answer.status, answer.headers, answer.content))
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_unsafe_methods_without_credentials_are_401(store: Store, method: str) -> None:
    with Harness(protected(None, WRITER, store)) as server:
        assert ask(server.connect(), method, "/none").status == 401
        assert ask(server.connect(), "GET", "/none").status == 404
        assert ask(server.connect(), method, "/", basic(WRITER)).status == (501 if method == "BREW" else 405)


def test_options_does_not_reveal_existence(store: Store) -> None:
    with Harness(protected(READER, None, store)) as server:
        there, missing = (ask(server.connect(), "OPTIONS", f"/files/{name}") for name in ("there", "missing"))
    assert there == missing
    assert there.status == 204


def test_a_preflight_needs_no_password(store: Store) -> None:
    lines = ("Origin: https://a.test", "Access-Control-Request-Method: POST")
    with Harness(protected(READER, WRITER, store)) as server:
        answer = ask(server.connect(), "OPTIONS", "/files/x", *lines)
    assert answer.status == 204
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
    assert "POST" in answer.headers["allow"].split(", ")


def test_a_route_added_while_serving_needs_credentials() -> None:
    routes = AuthRouter(digest(READER))
    with Harness(routes) as server:
        client = server.connect()
        assert ask(client, "GET", "/late").status == 401
        assert ask(client, "GET", "/late", basic(READER)).status == 404
        routes.get("/late")(lambda _: Response(200, b"late"))
        assert ask(client, "GET", "/late").status == 401
        assert ask(client, "GET", "/late", basic(READER)).content == b"late"


# The challenge; the body is not read before it.


def test_a_401_has_a_challenge_and_a_reason(store: Store) -> None:
    with Harness(protected(READER, WRITER, store)) as server:
        client = server.connect()
        absent, wrong = ask(client, "GET", "/"), ask(client, "GET", "/", basic("anna:wrong"))
        upload = ask(server.connect(), "POST", "/files/x", basic(READER), content=b"x")
    assert absent.headers["www-authenticate"] == wrong.headers["www-authenticate"] == CHALLENGE
    assert absent.content == b"authentication required\n"
    assert wrong.content == b"wrong user or password\n"
    # Another realm, so that a browser prompts again instead of sending its credentials.
    assert upload.headers["www-authenticate"] == 'Basic realm="Reactor, changes", charset="UTF-8"'


@pytest.mark.parametrize("path", ["/files/x", "/none", "/"])
@pytest.mark.parametrize("framing", ["Content-Length: 900000000", "Transfer-Encoding: chunked"])
def test_a_body_without_credentials_is_not_read(
    store: Store, tmp_path: Path, path: str, framing: str
) -> None:
    with Harness(protected(READER, None, store)) as server:
        client = server.connect()
        client.send(request(path, framing, "Expect: 100-continue", method="POST"))
        answer = client.assert_responds(401)  # without 100 (Continue)
    assert answer.headers["connection"] == "close"
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_a_connection_stays_open_after_a_401_without_a_body(store: Store) -> None:
    with Harness(protected(READER)) as server:
        client = server.connect()
        asks = [(), (basic(READER),), (), (basic("x:y"),), (basic(READER),)]
        client.send(b"".join(request("/", *lines) for lines in asks))
        server.clock.advance(FIRST_INTERVAL)
        assert [answer.status for answer in client.responses()] == [401, 200, 401, 401, 200]


# Valid and invalid credentials.


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "bAsIc   "])
def test_the_scheme_is_case_insensitive(scheme: str) -> None:
    with Harness(protected(READER)) as server:
        assert server.connect().get("/", basic(READER, scheme)).status == 200


RIGHT = b64encode(READER.encode()).decode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Authorization:",),
        ("Authorization: Basic",),
        ("Authorization: Basic ",),
        (f"Authorization: {RIGHT}",),
        (f"Authorization: Basic{RIGHT}",),
        (f"Authorization: Basic\t{RIGHT}",),
        (f"Authorization: Bearer {RIGHT}",),
        (f"Authorization: Basic {RIGHT} x",),
        (f"Authorization: Basic {RIGHT},",),
        (f"Authorization: Basic {RIGHT[:8]} {RIGHT[8:]}",),
        (f"Authorization: Basic {RIGHT}====",),
        (f"Authorization: Basic {RIGHT}==",),
        (f"Authorization: Basic {RIGHT}=",),
        (f"Authorization: Basic ={RIGHT}",),
        (f"Authorization: Basic {RIGHT[:-1]}",),
        (f"Authorization: Basic {RIGHT}\xff",),
        ("Authorization: Basic a",),
        ("Authorization: Basic *",),
        ("Authorization: Basic ====",),
        (f"Authorization: Basic {'A' * 8000}",),
        (f'Authorization: Basic realm="x", charset="UTF-8" {RIGHT}',),
        (f"Authorization: Basic {RIGHT}", f"Authorization: Basic {RIGHT}"),
        (f"Authorization: Basic {RIGHT}", "Authorization: Basic eDp5"),
        ("Authorization: Basic eDp5", f"Authorization: Basic {RIGHT}"),
        (f"Proxy-Authorization: Basic {RIGHT}",),
        (f"X-Authorization: Basic {RIGHT}",),
    ],
)
def test_invalid_credentials_are_401(lines: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = Log()
    with Harness(protected(READER), access_log=log) as server:
        client = server.connect()
        assert ask(client, "GET", "/", *lines).status == 401
        assert client.get("/", basic(READER)).status == 200
    assert RIGHT not in log.getvalue() + caplog.text


@pytest.mark.parametrize(
    "shown",
    [
        b"",
        b":",
        b"anna",
        b"anna:",
        b":correct horse",
        b"anna:correct hors",
        b"anna:correct horse ",
        b" anna:correct horse",
        b"Anna:correct horse",
        b"anna:correct horse\0",
        b"anna:correct horse\r\n",
        b"anna\0:correct horse",
        b"anna:correct\xa0horse",
        b"\xff\xfe:\xff",
        b"anna:correct horse" + bytes(5000),
    ],
)
def test_wrong_credentials_are_401(shown: bytes) -> None:
    with Harness(protected(READER)) as server:
        assert ask(server.connect(), "GET", "/", basic(shown)).status == 401


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_password_is_normalized_utf_8(form: Literal["NFC", "NFD"]) -> None:
    credentials = "ann\u00e9:\u00fcber \U0001f40e"
    with Harness(protected(unicodedata.normalize(form, credentials))) as server:
        client = server.connect()
        assert client.get("/", basic(credentials)).status == 200
        assert ask(client, "GET", "/", basic("ann\u00e9:\u00fcber".encode("latin-1"))).status == 401


def test_only_passwords_may_contain_colons() -> None:
    with Harness(protected(WRITER)) as server:
        client = server.connect()
        assert client.get("/", basic(WRITER)).status == 200
        assert ask(client, "GET", "/", basic("bert:battery")).status == 401


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        ":",
        "anna",
        "anna:",
        ":secret",
        "an\nna:secret",
        "anna:sec\0ret",
        "anna:sec\x7fret",
        "anna:sec\x85ret",
        "anna:secret\r",
        "anna:secret\udc80",
        "anna:" + "secret" * MAX_CREDENTIALS,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_invalid_configured_credentials_are_not_quoted(credentials: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        digest(credentials)
    assert str(refused.value).isprintable()
    assert "secret" not in str(refused.value)


# Logs.


@pytest.mark.parametrize("layout", ["combined", "json"])
def test_a_refusal_is_logged_without_the_password(layout: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = Log()
    given = [
        basic(READER),
        *map(basic, ("anna:hunter2", "hunter2", ":hunter2")),
        "Authorization: Basic hunter2=",
        "Authorization: hunter2",
    ]
    with Harness(protected(READER), access_log=log, log_format=layout) as server:
        client = server.connect()
        for line in given:
            ask(client, "GET", "/", line)
        ask(client, "POST", "/", basic("anna:hunter2"), content=b"x")
    logged = log.getvalue() + caplog.text
    assert [text.split(" as ")[1] for text in caplog.messages if "failed login" in text] == [
        "'anna'",
        "'' (2 failures from this address)",
        "'' (4 failures from this address)",
    ]
    assert len(log.getvalue().splitlines()) == 7
    for secret in ("hunter2", "horse", RIGHT, b64encode(b"anna:hunter2").decode()):
        assert secret not in logged


def test_an_unprotected_router_returns_its_routes_unchanged() -> None:
    plain, open_routes = Router(), AuthRouter()
    for routes in (plain, open_routes):
        routes.get("/")(lambda _: Response(200))
        assert routes.resolve("GET", [""])[0] is routes.resolve("GET", [""])[0]


# Replacing passwords while the server runs.

NEW_READER, NEW_WRITER = "anna:new horse", "bert:new battery"


def test_a_replaced_password_is_refused_at_once(store: Store) -> None:
    routes = protected(READER, WRITER, store)
    assert isinstance(routes, AuthRouter)
    with Harness(routes) as server:
        client = server.connect()
        for _ in range(5):
            assert [ask(client, "GET", "/", basic(each)).status for each in (READER, WRITER)] == [200, 200]
            assert ask(client, "GET", "/", basic(NEW_READER)).status == 401
        assert server.context.head_reader.heads
        routes.replace_passwords(digest(NEW_READER), digest(NEW_WRITER))
        for _ in range(5):
            assert [ask(client, "GET", "/", basic(each)).status for each in (READER, WRITER)] == [401, 401]
            assert ask(client, "GET", "/", basic(NEW_READER)).status == 200
            assert ask(client, "GET", "/", basic(NEW_WRITER)).status == 200
        assert ask(client, "POST", "/files/x", basic(NEW_WRITER), content=b"x").status == 201
        assert ask(client, "POST", "/files/x", basic(WRITER), content=b"x").status == 401


def test_one_of_two_passwords_can_be_replaced(store: Store) -> None:
    routes = protected(READER, WRITER, store)
    assert isinstance(routes, AuthRouter)
    with Harness(routes) as server:
        routes.replace_passwords(auth_upload=digest(NEW_WRITER))
        client = server.connect()
        users = (READER, WRITER, NEW_READER, NEW_WRITER)
        assert [ask(client, "GET", "/", basic(each)).status for each in users] == [200, 401, 401, 200]


def test_an_upload_with_a_replaced_password_is_refused(store: Store, tmp_path: Path) -> None:
    routes = protected(None, WRITER, store)
    assert isinstance(routes, AuthRouter)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/files/x", basic(WRITER), "Content-Length: 2", method="POST") + b"x")
        routes.replace_passwords(auth_upload=digest(NEW_WRITER))
        client.send(b"y")
        assert [each.name for each in tmp_path.iterdir()] == ["there"]
        server.clock.advance(FIRST_INTERVAL)
        [answer] = client.responses("POST")
        assert answer.status == 401
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(("auth", "upload"), [(None, None), (READER, None), (None, WRITER)])
def test_replacing_a_missing_password_is_an_error(auth: str | None, upload: str | None) -> None:
    routes = protected(auth, upload)
    assert isinstance(routes, AuthRouter)
    for name, before in (("auth", auth), ("auth_upload", upload)):
        if before is None:
            with pytest.raises(ValueError, match="cannot add a password"):
                routes.replace_passwords(**{name: digest(NEW_READER)})
    routes.replace_passwords()

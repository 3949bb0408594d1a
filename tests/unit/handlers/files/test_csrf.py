"""Cross-site request forgery (CSRF): uploads from pages of other sites are refused, unless CORS allows."""

from contextlib import closing

import pytest

from reactor import handlers
from reactor.handlers.files.store import Store
from tests.support.in_process import Harness
from tests.unit.handlers.files.shared import Shared, request

FOREIGN = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example"]
FORM = b'--b\r\nContent-Disposition: form-data; name="f"; filename="new"\r\n\r\nabc\r\n--b--\r\n'
MULTIPART = "Content-Type: multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    "line", [*FOREIGN, "Origin: null", "Origin: http://test:81", "Origin: https://x.test"]
)
@pytest.mark.parametrize(("path", "content"), [("/files/new", b"abc"), ("/files/", FORM)])
def test_a_cross_origin_post_is_refused_before_its_body(
    shared: Shared, path: str, content: bytes, line: str
) -> None:
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        lines = [f"Content-Length: {len(content)}", MULTIPART, "Expect: 100-continue", line]
        answer = request(server.connect(), "POST", path, *lines)
        origin = line.partition(": ")[2]
        sender = f"'{origin}'" if line.startswith("Origin") else "another site"
        reason = f"cross-origin upload from {sender} refused (--cors allows it)\n"
        assert (answer.status, answer.content) == (403, reason.encode())
    shared.assert_untouched()


@pytest.mark.parametrize(
    "line", ["Origin: http://test", "Origin: https://TEST", "Sec-Fetch-Site: same-origin"]
)
def test_same_origin_and_non_browser_clients_are_allowed(shared: Shared, line: str) -> None:
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        for lines in ([line], []):
            client = server.connect()
            answer = request(client, "POST", "/files/new", "Content-Length: 3", *lines, content=b"abc")
            assert answer.status == 201


@pytest.mark.parametrize(
    ("allowed", "line", "status"),
    [
        ("*", "Origin: http://evil.example", 201),
        ("*", "Sec-Fetch-Site: cross-site", 201),
        ("http://friend.example", "Origin: http://friend.example", 201),
        ("http://friend.example", "Origin: http://evil.example", 403),
        ("http://friend.example", "Sec-Fetch-Site: cross-site", 403),
    ],
)
def test_origins_allowed_by_cors_may_upload(shared: Shared, allowed: str, line: str, status: int) -> None:
    with (
        closing(Store(shared.path)) as store,
        Harness(handlers.build(store, allowed_origin=allowed)) as server,
    ):
        lines = ["Content-Length: 3", line]
        assert request(server.connect(), "POST", "/files/new", *lines, content=b"abc").status == status

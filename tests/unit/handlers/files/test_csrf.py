"""Cross-site request forgery (CSRF): uploads from pages of other sites are refused, unless CORS allows."""

from contextlib import closing

import pytest

from reactor import handlers
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
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
        refused = f"cross-origin upload from {sender} to Host 'test' refused"
        remedy = "a proxy must forward Host, or be a --trusted-proxy that sends X-Forwarded-Host"
        reason = f"{refused} (--cors ORIGIN allows it; {remedy})\n"
        assert (answer.status, answer.content) == (403, reason.encode())
    shared.assert_untouched()


def submit(lines: list[str], client: Client) -> int:
    """Submit the form with these header lines, the first of which is Host; return the status."""
    fields = "".join(f"{line}\r\n" for line in [*lines, MULTIPART, f"Content-Length: {len(FORM)}"])
    client.send(f"POST /files/ HTTP/1.1\r\n{fields}\r\n".encode() + FORM)
    return client.responses("POST")[0].status


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Host: test"], id="no browser"),
        pytest.param(["Host: test", "Origin: http://test"], id="the same origin"),
        pytest.param(["Host: test:4221", "Origin: http://TEST:4221"], id="the same origin with a port"),
        pytest.param(["Host: [::1]:4221", "Origin: http://[::1]:4221"], id="an IPv6 address"),
        pytest.param(["Host: test", "Origin: https://test"], id="a proxy with TLS"),
        pytest.param(["Host: test:80", "Origin: https://test"], id="a proxy that adds a default port"),
        pytest.param(["Host: test:443", "Origin: https://test"], id="a proxy that adds the port of TLS"),
        pytest.param(
            ["Host: test", "Origin: https://test:8443", "Sec-Fetch-Site: same-origin"],
            id="a proxy that changes the port",
        ),
        pytest.param(
            ["Host: localhost:4221", "Origin: https://test", "Sec-Fetch-Site: same-origin"],
            id="a proxy that changes Host",
        ),
        pytest.param(["Host: test", "Sec-Fetch-Site: none"], id="no page"),
    ],
)
def test_the_own_form_is_accepted(shared: Shared, lines: list[str]) -> None:
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        assert submit(lines, server.connect()) == 303
    assert shared.files() == {**shared.original_files, "new": b"abc"}


@pytest.mark.parametrize(
    "lines",
    [
        ["Host:", "Origin: null"],
        ["Host: null", "Origin: null"],
        ["Host: test", "Origin: null", "Sec-Fetch-Site: same-origin"],
        ["Host:", "Origin:"],
        ["Host: test", "Origin: http://test", "Origin: http://test"],
        ["Host: test", "Origin: http://test", "Sec-Fetch-Site: cross-site"],
        ["Host: test", "Origin: http://test", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
        ["Host: test", "Origin: http://test", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"],
        ["Host: test", "Origin: https://test:8443"],
    ],
    ids=lambda lines: "; ".join(lines),
)
def test_a_form_of_unknown_origin_is_refused(shared: Shared, lines: list[str]) -> None:
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        assert submit(lines, server.connect()) == 403
    shared.assert_untouched()


@pytest.mark.parametrize(
    ("allowed", "line", "status"),
    [
        ("*", "Origin: http://evil.example", 201),
        ("*", "Sec-Fetch-Site: cross-site", 201),
        ("http://friend.example", "Origin: http://friend.example", 201),
        ("http://friend.example", "Origin: http://evil.example", 403),
        ("http://friend.example", "Origin: http://friend.example\r\nSec-Fetch-Site: cross-site", 201),
        ("http://friend.example", "Origin: http://friend.example\r\nOrigin: http://friend.example", 403),
        ("http://friend.example", "Sec-Fetch-Site: cross-site", 403),
        ("http://friend.example", "Origin: null", 403),
        ("http://friend.example", "Origin: http://test", 201),
        ("null", "Origin: null", 201),
        ("null", "Origin: null\r\nSec-Fetch-Site: cross-site", 201),
        ("null", "Origin: http://evil.example", 403),
        ("null", "Sec-Fetch-Site: cross-site", 403),
    ],
)
def test_origins_allowed_by_cors_may_upload(shared: Shared, allowed: str, line: str, status: int) -> None:
    with (
        closing(Store(shared.path)) as store,
        Harness(handlers.build(store, allowed_origin=allowed)) as server,
    ):
        lines = ["Content-Length: 3", line]
        assert request(server.connect(), "POST", "/files/new", *lines, content=b"abc").status == status

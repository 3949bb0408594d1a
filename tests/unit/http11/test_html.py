"""The headers of a page with inline style and script."""

from base64 import b64encode
from hashlib import sha256

from reactor.http11.html import content_security_policy, html_headers


def test_the_policy_allows_style_and_script_by_hash_only() -> None:
    style, script = (b64encode(sha256(text).digest()).decode() for text in (b"p {}", b"f()"))
    assert content_security_policy("p {}", "f()", "'self'") == (
        f"default-src 'none'; script-src 'sha256-{script}'; connect-src 'self'; style-src 'sha256-{style}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src data:"
    )
    assert content_security_policy("p {}") == (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; img-src data:"
    )


def test_a_page_is_html_in_utf_8_under_its_policy() -> None:
    assert html_headers("default-src 'none'") == (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'"),
    )

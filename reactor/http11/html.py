"""HTML pages with their style and script inline: the header fields of their responses.

A page needs no other resource, and its Content Security Policy (level 3) allows no other: of scripts and
styles only these two, by their hashes; connections to its own server; images only as data.
"""

from base64 import b64encode
from hashlib import sha256

from reactor.http11.message import Fields


def content_security_policy(style: str, script: str, form_action: str = "'none'") -> str:
    """Return the policy of a page with this style and this script; ``form_action`` is where forms may go."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "connect-src 'self'",
            f"form-action {form_action}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "img-src data:",
        )
    )


def html_headers(policy: str) -> Fields:
    """Return the fields of a response with a page under this policy."""
    return (("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", policy))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

"""HTML pages with inline style and script: the headers of their responses.

A page loads no other resource, and its Content Security Policy (level 3) allows none: only this style and
script, by their hashes; for a script, connections to its own server; images as data URLs.
"""

from base64 import b64encode
from hashlib import sha256

from reactor.http11.message import HeaderPairs


def content_security_policy(style: str, script: str = "", form_action: str = "'none'") -> str:
    """Return the policy of a page with this style and script; ``form_action`` is the allowed form target."""
    return "; ".join(
        (
            "default-src 'none'",
            *((f"script-src {_hash(script)}", "connect-src 'self'") if script else ()),
            f"style-src {_hash(style)}",
            f"form-action {form_action}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "img-src data:",
        )
    )


def html_headers(policy: str) -> HeaderPairs:
    """Return the headers of a page with this policy."""
    return (("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", policy))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

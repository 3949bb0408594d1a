"""Requests without the password that they need, and those that anyone may send: 401, OPTIONS."""

from tests.simulation.downloads import target_of
from tests.simulation.exchange import Exchange, Fields, Writer, explain_wrong_fields, head, is_line
from tests.simulation.features import MAX_RESUMABLE, READING, basic
from tests.support.in_process import Answer

REQUESTS = (
    "GET /",
    "GET /files/f0",
    "GET /files/",
    "HEAD /files/none",
    "GET /nowhere",
    "PUT /files/{mark}",
    "POST /files/{mark}",
    "POST /mirror",
    "DELETE /files/f0",
    "BREW /",
    "POST /echo/a",
    "PATCH /uploads/{mark}",
)

# After so many wrong passwords further ones may be refused without a look at them.
MIN_GUESSES = 3


def unauthorized(writer: Writer) -> Exchange:
    """Write a request without a password, or with one that does not permit it."""
    random, features = writer.world.random, writer.disk.features
    line = random.choice(REQUESTS).replace("{mark}", writer.mark())
    method = line.partition(" ")[0]
    right = features.passwords(method)
    if not right:
        return options(writer)
    wrong = ["anna:wrong", "anna:", "anna:reads ", "otto:reads", *features.passwords("GET")]
    wrong = [each for each in wrong if each not in right]
    lines = [basic(random.choice(wrong))] if random.random() < 0.7 else []
    lines = random.choice((lines, lines, ["Authorization: Basic !"], ["Authorization: Bearer abc"]))
    content = writer.content()[:1000] if method in ("PUT", "POST", "PATCH") else b""
    lines = [*lines, f"Content-Length: {len(content)}"] if content else lines
    realm = "Reactor" if method in READING or not features.changing else "Reactor, changes"

    has_guessed = writer.guesses >= MIN_GUESSES
    writer.guesses += 1

    def verify(answer: Answer, content: bytes) -> str:
        if answer.status == 429:
            return "" if has_guessed else "it has sent few wrong passwords"
        fields: Fields = {"www-authenticate": f'Basic realm="{realm}", charset="UTF-8"', "allow": None}
        return explain_wrong_fields(answer.headers, fields)

    data = head(f"{line} HTTP/1.1", *lines) + content
    return Exchange(data, (401, 429), None if method == "HEAD" else is_line, method, verify=verify)


def unauthorized_upload(writer: Writer) -> Exchange:
    """Ask for permission to send an upload, without a password; the answer ends the connection."""
    data = head(
        f"PUT {target_of(writer.mark())} HTTP/1.1", "Transfer-Encoding: chunked", "Expect: 100-continue"
    )
    if not writer.disk.features.passwords("PUT"):
        return Exchange(writer.head("GET / HTTP/1.1", "Connection: close"), content=b"", closes=True)
    return Exchange(
        data, (401,), is_line, "PUT", closes=True, delayed_body=b"1\r\na\r\n0\r\n\r\n", invites=False
    )


def options(writer: Writer) -> Exchange:
    """Ask for the methods of a path, as a preflight does: without a password."""
    features = writer.disk.features
    target, allow = writer.world.random.choice(
        (
            ("/", "GET, HEAD, OPTIONS"),
            ("/files/f0", features.allow),
            ("/files/none", features.allow),
            ("/echo/a", "GET, HEAD, OPTIONS"),
            ("/mirror", "POST, OPTIONS"),
            ("*", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"),
        )
    )
    fields: Fields = {"allow": allow, "access-control-allow-methods": allow if features.origin else None}
    if target.startswith("/files/"):
        fields["upload-limit"] = f"max-size={MAX_RESUMABLE}" if features.uploads else None

    def verify(answer: Answer, content: bytes) -> str:
        return explain_wrong_fields(answer.headers, fields)

    data = head(
        f"OPTIONS {target} HTTP/1.1", "Origin: https://app.example", "Access-Control-Request-Method: PUT"
    )
    return Exchange(data, (204,), b"", verify=verify)

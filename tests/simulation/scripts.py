"""Scripts: what a client sends, and what it must get for it.

An ``Exchange`` is one request with the model of its answer. All that a client writes carries its
own mark, so that an answer for another client, or one that comes twice, does not match what
is expected. The model knows the rules of HTTP and this server's routes; it shares no code with it.
"""

from collections.abc import Callable

from tests.simulation.access import options, unauthorized, unauthorized_upload
from tests.simulation.downloads import download
from tests.simulation.exchange import GIBIBYTE, Exchange, Writer, has_fields, head, is_line
from tests.simulation.features import basic
from tests.simulation.listings import listing, redirection
from tests.simulation.resumption import continuation, creation
from tests.simulation.site import piece_of
from tests.simulation.uploads import (
    conditional_upload,
    cross_origin_upload,
    form,
    refused_form,
    refused_upload,
    removal,
    upload,
    upload_without_length,
)

__all__ = ["Exchange", "ScriptWriter", "head"]


class ScriptWriter(Writer):
    """Writes the exchanges of one client."""

    def write(self) -> Exchange:
        """Write any exchange that leaves the connection open."""
        kind = self.world.random.choices(list(PERSISTENT), list(PERSISTENT.values()))[0]
        if self.resumables and self.world.random.random() < 0.8:
            kind = continuation
        if kind is creation and not self.disk.features.uploads:
            kind = upload
        return kind(self)

    def write_short(self) -> Exchange:
        """Write a short exchange, whose answer is sometimes longer."""
        return self.world.random.choice(
            (ScriptWriter.root, ScriptWriter.user_agent, ScriptWriter.echo, ScriptWriter.only_head)
        )(self)

    def write_last(self) -> Exchange:
        """Write an exchange that is answered and ends the connection."""
        return self.world.random.choice(CLOSING)(self)

    def refused(self) -> Exchange:
        """Write an exchange that must be refused, and its connection closed."""
        data, status = self.world.random.choice(BROKEN)
        passwords = self.disk.features.passwords(data.partition(b" ")[0].decode())
        if passwords:
            signed = f"Host: sim\r\n{basic(passwords[0])}\r\n".encode()
            data = data.replace(b"Host: sim\r\n", signed, 1)
        return Exchange(data, (status,), is_line, "POST", closes=True)

    # Exchanges that leave the connection open.

    def root(self) -> Exchange:
        return Exchange(self.head("GET / HTTP/1.1"), content=b"", verify=has_fields(vary="Accept"))

    def echo(self, *fields: str, closes: bool = False, version: str = "1.1") -> Exchange:
        mark = self.mark()
        text = mark + "-" * self.world.random.randrange(self.world.random.choice((5, 3_000)))
        compressed, asking = self.coding()
        data = self.head(f"GET /echo/{text} HTTP/{version}", *asking, *fields)
        verify = has_fields(
            vary="Accept-Encoding", content_type="text/plain", content_encoding="gzip" if compressed else None
        )
        return Exchange(data, content=text.encode(), closes=closes, compressed=compressed, verify=verify)

    def echo_with_content(self) -> Exchange:
        mark, content = self.mark(), self.content()
        data = self.head(f"GET /echo/{mark} HTTP/1.1", f"Content-Length: {len(content)}")
        return Exchange(data + content, content=mark.encode())

    def user_agent(self) -> Exchange:
        mark = self.mark()
        return Exchange(
            self.head("GET /user-agent HTTP/1.1", f"User-Agent: {mark}"),
            content=mark.encode(),
            verify=has_fields(vary=None),
        )

    def only_head(self) -> Exchange:
        target = self.world.random.choice(("/echo/" + self.mark(), "/", "/files/f0", "/pieces/a/9"))
        return Exchange(self.head(f"HEAD {target} HTTP/1.1"), content=b"", method="HEAD", on_disk=True)

    def mild_error(self) -> Exchange:
        line, status, allow = self.world.random.choice(
            (
                ("GET /files/none", 404, None),
                ("GET /files/..%2Fx", 404, None),
                ("GET /files/docs/../f0", 404, None),
                ("DELETE /echo/a", 405, "GET, HEAD, OPTIONS"),
                ("DELETE /files", 405, "GET, HEAD, OPTIONS"),
                ("BREW /", 501, None),
                ("GET /fails", 500, None),
                ("GET /mirror", 405, "POST, OPTIONS"),
                ("POST /nowhere", 404, None),
                ("POST /echo/a", 405, "GET, HEAD, OPTIONS"),
            )
        )
        fields, kind = self.world.random.choice(
            (([], "text/plain"), (["Accept: text/html"], "text/html; charset=utf-8"))
        )
        verify = has_fields(allow=allow, vary="Accept", content_type=kind)
        content = self.content()[:60_000] if line.startswith("POST") else b""
        fields = [*fields, f"Content-Length: {len(content)}"] if content else fields
        # A body is refused before it arrives, and then discarded.
        data = self.head(f"{line} HTTP/1.1", *fields) + content
        size = 2_500 if kind.startswith("text/html") else 500
        return Exchange(data, (status,), is_line, on_disk=True, verify=verify, size=size)

    def mirror(self) -> Exchange:
        content = self.content()[:60_000]
        return self.posting("POST /mirror", content, (200,), content)

    def pieces(self) -> Exchange:
        mark, count = self.mark(), self.world.random.randrange(self.world.random.choice((4, 60)))
        compressed, asking = self.coding()
        content = b"".join(piece_of(mark, number) for number in range(count))
        data = self.head(f"GET /pieces/{mark}/{count} HTTP/1.1", *asking)
        verify = has_fields(vary="Accept-Encoding")
        return Exchange(data, content=content, compressed=compressed, verify=verify)

    def live(self) -> Exchange:
        mark, count = self.mark(), self.world.random.randrange(4)
        content = b"".join(piece_of(mark, number) for number in range(count))
        return Exchange(self.head(f"GET /live/{mark}/{count} HTTP/1.1"), content=content, is_live=True)

    # Exchanges that end it.

    def echo_and_close(self) -> Exchange:
        return self.echo("Connection: close", closes=True)

    def old_echo(self) -> Exchange:
        return self.echo(closes=True, version="1.0")

    def old_pieces(self) -> Exchange:
        """Ask in HTTP/1.0 for a stream, which ends with the connection."""
        mark, count = self.mark(), self.world.random.randrange(30)
        content = b"".join(piece_of(mark, number) for number in range(count))
        return Exchange(self.head(f"GET /pieces/{mark}/{count} HTTP/1.0"), content=content, closes=True)

    def broken_content(self) -> Exchange:
        """Break the chunked coding of an upload, which leaves nothing behind."""
        data = self.head(f"POST /files/{self.mark()} HTTP/1.1", "Transfer-Encoding: chunked")
        chunk = self.world.random.choice((b"5\r\nhelloX\r\n", b"-5\r\nhello\r\n", b"5\nhello\r\n"))
        return Exchange(data + b"3\r\nabc\r\n" + chunk, (400,), is_line, "POST", True, on_disk=True)

    def breaks(self) -> Exchange:
        """Ask for content that breaks off, and must not look complete."""
        count = self.world.random.randrange(4)
        return Exchange(self.head(f"GET /breaks/{self.mark()}/{count} HTTP/1.1"), (), closes=True)


PERSISTENT: dict[Callable[[ScriptWriter], Exchange], int] = {
    ScriptWriter.root: 2,
    ScriptWriter.echo: 4,
    ScriptWriter.echo_with_content: 1,
    ScriptWriter.user_agent: 2,
    ScriptWriter.only_head: 1,
    ScriptWriter.mild_error: 2,
    ScriptWriter.mirror: 2,
    ScriptWriter.pieces: 3,
    ScriptWriter.live: 1,
    options: 1,
    unauthorized: 2,
    download: 12,
    listing: 3,
    redirection: 1,
    upload: 4,
    conditional_upload: 4,
    cross_origin_upload: 1,
    refused_upload: 1,
    form: 3,
    refused_form: 1,
    removal: 3,
    creation: 3,
    continuation: 5,
}

CLOSING: tuple[Callable[[ScriptWriter], Exchange], ...] = (
    ScriptWriter.refused,
    ScriptWriter.refused,
    ScriptWriter.echo_and_close,
    ScriptWriter.old_echo,
    ScriptWriter.old_pieces,
    ScriptWriter.broken_content,
    ScriptWriter.breaks,
    upload_without_length,
    unauthorized_upload,
)

_CHUNKED = "Transfer-Encoding: chunked"
BROKEN: list[tuple[bytes, int]] = [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: sim\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: sim\rX: 1\r\n\r\n", 400),
    (head("GET  / HTTP/1.1"), 400),
    (head("GET / http/1.1"), 400),
    (head("GET / HTTP/2.0"), 505),
    (head("GET /echo/%zz HTTP/1.1"), 400),
    (head("GET /echo/%ff HTTP/1.1"), 400),
    (head("GET / HTTP/1.1", "Host: two"), 400),
    (head("GET / HTTP/1.1", "X : 1"), 400),
    (head("GET / HTTP/1.1", "X: 1", " folded"), 400),
    (head("GET / HTTP/1.1", "X: a\0b"), 400),
    (head("GET / HTTP/1.1", "X: " + "a" * 9_000), 431),
    (head("GET / HTTP/1.1", *["X: 1"] * 101), 431),
    (head("GET /" + "a" * 9_000 + " HTTP/1.1"), 414),
    (head("GET / HTTP/1.1", "Expect: miracles"), 417),
    (head("POST /mirror HTTP/1.1", "Content-Length: 5", _CHUNKED) + b"0\r\n\r\n", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: 5", "Content-Length: 6") + b"hello", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: +5") + b"hello", 400),
    (head("POST /mirror HTTP/1.1", "Transfer-Encoding: zip, chunked") + b"0\r\n\r\n", 501),
    (head("POST /mirror HTTP/1.0", _CHUNKED) + b"0\r\n\r\n", 400),
    (head("POST /mirror HTTP/1.1", "Content-Length: 65537") + b"hello", 413),
    (head("POST /files/a HTTP/1.1", f"Content-Length: {2 * GIBIBYTE}") + b"hello" * 100, 413),
    (head("POST /nowhere HTTP/1.1", _CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 404),
    (head("POST /echo/a HTTP/1.1", _CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 405),
]

"""Exchanges that test a connection: its limits, HTTP/1.0, errors amid a pipeline, responses known later.

Like those in ``scripts.py``, each function writes a request with the model of its answer. Those in
``PERSISTENT`` leave the connection open, those in ``CLOSING`` end it.
"""

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.application import SMALL
from tests.simulation.exchange import Exchange, is_line
from tests.simulation.scripts import ScriptWriter
from tests.simulation.site import MAX_BODY, MAX_CHUNK_EXTENSIONS, piece_of
from tests.simulation.uploads import Upload

Write = Callable[[ScriptWriter], Exchange]
CHUNKED = "Transfer-Encoding: chunked"
KEEP_ALIVE = "Connection: keep-alive"
LAST_CHUNK = b"0\r\n\r\n"
LINE_LIMIT = 8_190  # bytes of a request line


def chunks(*pieces: bytes, extension: bytes = b"") -> bytes:
    """Encode a body in chunks."""
    return b"".join(b"%x%b\r\n%b\r\n" % (len(each), extension, each) for each in pieces) + LAST_CHUNK


def body_of(writer: ScriptWriter, size: int) -> bytes:
    """Make a body of some size, which begins with a mark."""
    return (writer.mark().encode() + writer.world.random.randbytes(size))[:size]


# Exchanges that leave the connection open.


def repeated(writer: ScriptWriter) -> Exchange:
    """Ask with one of a few heads, which are cached."""
    agent = writer.world.random.choice("abcdefg") * writer.world.random.choice((1, 1, 300))
    return Exchange(writer.head("GET /user-agent HTTP/1.1", f"User-Agent: {agent}"), content=agent.encode())


def old_persistent(writer: ScriptWriter) -> Exchange:
    """Ask in HTTP/1.0 to keep the connection."""
    return replace(writer.echo(KEEP_ALIVE, version="1.0"), keeps=True, verify=None)


def small(writer: ScriptWriter) -> Exchange:
    """Send a body of the largest size, or a shorter one."""
    content = body_of(writer, writer.world.random.choice((1, SMALL - 1, SMALL)))
    if writer.world.random.random() < 0.5:
        data = writer.head("POST /small HTTP/1.1", CHUNKED) + chunks(content[:7], content[7:] or b"-")
        content = content if content[7:] else content + b"-"
    else:
        data = writer.head("POST /small HTTP/1.1", f"Content-Length: {len(content)}") + content
    return Exchange(data, content=content, method="POST")


def too_large_and_discarded(writer: ScriptWriter) -> Exchange:
    """Send a body over the limit of its sink, whose rest is discarded."""
    largest = 60_000 if writer.large else 9_000
    content = body_of(writer, writer.world.random.choice((SMALL + 1, 5_000, largest)))
    data = writer.head("POST /small HTTP/1.1", f"Content-Length: {len(content)}") + content
    return Exchange(data, (413,), is_line, "POST")


def refused_by_handler(writer: ScriptWriter) -> Exchange:
    """Send a body that is received, and then refused."""
    content = body_of(writer, writer.world.random.randrange(SMALL))
    data = writer.head("POST /refuses HTTP/1.1", CHUNKED) + chunks(*([content] if content else []))
    return Exchange(data, (403,), is_line, "POST")


def known_later(writer: ScriptWriter) -> Exchange:
    """Ask for a response that is not known at once."""
    mark = writer.mark()
    return Exchange(writer.head(f"GET /later/{mark} HTTP/1.1"), content=mark.encode(), is_later=True)


def fails_later(writer: ScriptWriter) -> Exchange:
    """Ask for a response that becomes an error."""
    return Exchange(writer.head("GET /fails-later HTTP/1.1"), (503,), is_line, is_later=True)


def longest_line(writer: ScriptWriter) -> Exchange:
    """Send the longest request line that is allowed."""
    mark = writer.mark()
    text = mark + "l" * (LINE_LIMIT - len(f"GET /echo/{mark} HTTP/1.1"))
    return Exchange(writer.head(f"GET /echo/{text} HTTP/1.1"), content=text.encode())


def empty_lines(writer: ScriptWriter) -> Exchange:
    """Send empty lines before the request, as many as are skipped."""
    exchange = writer.echo()
    return replace(exchange, data=b"\r\n" * 7 + exchange.data)


# Exchanges that end it.


def old_live(writer: ScriptWriter) -> Exchange:
    """Ask in HTTP/1.0 for a live stream, whose end is that of the connection."""
    mark, count = writer.mark(), writer.world.random.randrange(4)
    content = b"".join(piece_of(mark, number) for number in range(count))
    data = writer.head(f"GET /live/{mark}/{count} HTTP/1.0", *writer.world.random.choice(([], [KEEP_ALIVE])))
    return Exchange(data, content=content, closes=True, is_live=True)


def old_generated(writer: ScriptWriter) -> Exchange:
    """Ask in HTTP/1.0 for a generated body, and to keep the connection, which is impossible."""
    mark, count = writer.mark(), writer.world.random.randrange(30)
    content = b"".join(piece_of(mark, number) for number in range(count))
    compressed, asking = writer.coding()
    data = writer.head(f"GET /pieces/{mark}/{count} HTTP/1.0", KEEP_ALIVE, *asking)
    return Exchange(data, content=content, closes=True, compressed=compressed)


def chunks_over_sink_limit(writer: ScriptWriter) -> Exchange:
    """Send chunks beyond the limit of their sink, without an end."""
    content = body_of(writer, SMALL + 1)
    data = writer.head("POST /small HTTP/1.1", CHUNKED) + chunks(content[:SMALL], content[SMALL:])
    return Exchange(data.removesuffix(LAST_CHUNK), (413,), is_line, "POST", closes=True)


def chunks_over_body_limit(writer: ScriptWriter) -> Exchange:
    """Announce chunks that exceed the limit of all bodies only together."""
    first = body_of(writer, writer.world.random.choice((3, 900)))
    data = writer.head(f"POST /files/{writer.mark()} HTTP/1.1", CHUNKED)
    data += b"%x\r\n%b\r\n%x\r\n" % (len(first), first, MAX_BODY - len(first) + 1)
    return Exchange(data + b"more", (413,), is_line, "POST", closes=True, on_disk=True)


def too_many_extensions(writer: ScriptWriter) -> Exchange:
    """Send chunk extensions that exceed their limit only together."""
    extension = b";a=" + b"e" * 60
    count = MAX_CHUNK_EXTENSIONS // len(extension) + 1
    data = writer.head("POST /small HTTP/1.1", CHUNKED) + chunks(*[b"x"] * count, extension=extension)
    return Exchange(data, (400,), is_line, "POST", closes=True)


def failing_sink(writer: ScriptWriter) -> Exchange:
    """Send a body whose sink fails."""
    content = body_of(writer, 1 + writer.world.random.randrange(3_000))
    data = writer.head("POST /sink-fails HTTP/1.1", f"Content-Length: {len(content)}") + content
    return Exchange(data, (500,), is_line, "POST", closes=True)


def expecting_and_refused(writer: ScriptWriter) -> Exchange:
    """Ask before sending a body that is too large: it is refused, and must not be sent."""
    data = writer.head("POST /small HTTP/1.1", f"Content-Length: {SMALL + 1}", "Expect: 100-continue")
    return Exchange(data, (413,), is_line, "POST", closes=True)


def too_long_line(writer: ScriptWriter) -> Exchange:
    """Send a request line that is a byte too long."""
    line = longest_line(writer).data.replace(b"GET /echo/", b"GET /echo/+", 1)
    return Exchange(line, (414,), is_line, closes=True)


def too_many_empty_lines(writer: ScriptWriter) -> Exchange:
    """Send more empty lines than are skipped."""
    return Exchange(b"\r\n" * 9 + writer.root().data, (400,), is_line, closes=True)


def largest_in_chunks(writer: ScriptWriter) -> Exchange:
    """Upload a body of the largest size; in seeds with little content, post one to memory."""
    size, target = (MAX_BODY, f"/files/{writer.mark()}") if writer.large else (SMALL, "/small")
    content = body_of(writer, size)
    data = writer.head(f"POST {target} HTTP/1.1", CHUNKED, "Connection: close")
    data += chunks(content[: size // 2], content[size // 2 :])
    if not writer.large:
        return Exchange(data, content=content, method="POST", closes=True)
    path = target.removeprefix("/files/")
    request = Upload(writer, "POST", path, writer.disk.tree.offer(writer.name, path, content))
    return Exchange(
        data, (201,), b"", "POST", closes=True, on_disk=True, is_upload=True, verify=request.verify
    )


PERSISTENT: dict[Write, int] = {
    repeated: 4,
    old_persistent: 2,
    small: 3,
    too_large_and_discarded: 3,
    refused_by_handler: 2,
    known_later: 3,
    fails_later: 1,
    longest_line: 1,
    empty_lines: 1,
}
CLOSING: tuple[Write, ...] = (
    old_live,
    old_live,
    old_generated,
    chunks_over_sink_limit,
    chunks_over_body_limit,
    too_many_extensions,
    failing_sink,
    expecting_and_refused,
    too_long_line,
    too_many_empty_lines,
    largest_in_chunks,
)

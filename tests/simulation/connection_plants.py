"""Faults of connections, the acceptor, the loop and the caches, one for each check of the simulation.

Each is planted by replacing something of the server, and has a seed that finds it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from reactor import call_order, deadlines
from reactor.http11 import serializer
from reactor.http11.cache import BoundedCache
from reactor.http11.chunked import ChunkedReader
from reactor.http11.framing import LengthReader
from reactor.http11.parser import PHASE_ENDED
from reactor.logs.access_log import UnsentExchanges
from reactor.server import acceptor, connection
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.request_body import RequestBody
from reactor.server.shutdown import Shutdown
from reactor.server.write_buffer import WriteBuffer
from reactor.settings import Settings

Plant = Callable[[pytest.MonkeyPatch], None]


def exceed_the_connection_limit(patch: pytest.MonkeyPatch) -> None:
    """Accept one connection more than the limit."""
    accept = Acceptor._accept_share

    def share(self: Acceptor) -> None:
        self._limit += 1
        accept(self)
        self._limit -= 1

    patch.setattr(Acceptor, "_accept_share", share)


def evict_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Close the connection that has been idle for the shortest time."""
    find = Acceptor._find_closable
    patch.setattr(Acceptor, "_find_closable", lambda self: find(self)[::-1])


def evict_what_has_unread_bytes(patch: pytest.MonkeyPatch) -> None:
    """Close an idle connection whose next request has arrived."""
    patch.setattr(Connection, "has_unread_input", lambda self: False)


def evict_nothing(patch: pytest.MonkeyPatch) -> None:
    """Pause at the connection limit, although a connection is idle."""
    patch.setattr(Acceptor, "_find_closable", lambda self: [])


def accept_without_a_share(patch: pytest.MonkeyPatch) -> None:
    """Accept three shares in a turn."""
    readable = Acceptor.on_readable

    def thrice(self: Acceptor) -> None:
        for _ in range(3):
            readable(self)

    patch.setattr(Acceptor, "on_readable", thrice)


def pause_for_long(patch: pytest.MonkeyPatch) -> None:
    """Wait for a second before accepting again."""
    patch.setattr(acceptor, "PAUSE", 1.0)


def pause_after_a_close(patch: pytest.MonkeyPatch) -> None:
    """Do not accept again when a connection is closed."""
    patch.setattr(ServerContext, "call_at_next_close", lambda self, function: None)


def never_accept_again(patch: pytest.MonkeyPatch) -> None:
    """Stay unregistered after a pause."""
    patch.setattr(Acceptor, "_resume", lambda self: None)


def keep_stale_deadlines(patch: pytest.MonkeyPatch) -> None:
    """Never rebuild the heap."""
    patch.setattr(deadlines.Deadlines, "_count_stale", lambda self: setattr(self, "_stale", self._stale + 1))


def call_without_a_share(patch: pytest.MonkeyPatch) -> None:
    """Call every ready handler, however long it takes."""
    patch.setattr(call_order, "TURN_SHARE", 10.0)


def count_all_windows_together(patch: pytest.MonkeyPatch) -> None:
    """Never restart the count of the bytes of a body: a client that was fast may become slow."""
    measure = RequestBody.measure_rate

    def again(self: RequestBody, settings: Settings) -> str | None:
        count = self.bytes_in_window
        result = measure(self, settings)
        self.bytes_in_window = count
        return result

    patch.setattr(RequestBody, "measure_rate", again)


def keep_alive_after_a_stream(patch: pytest.MonkeyPatch) -> None:
    """Keep an HTTP/1.0 connection whose end would be that of the body."""
    patch.setattr(connection, "has_length", lambda response: True)


def count_each_chunk_alone(patch: pytest.MonkeyPatch) -> None:
    """Compare the limits of a body with each chunk."""
    read = ChunkedReader._read_size

    def alone(self: ChunkedReader, line: bytes) -> int:
        self._received = 0
        return read(self, line)

    patch.setattr(ChunkedReader, "_read_size", alone)


def count_each_extension_alone(patch: pytest.MonkeyPatch) -> None:
    """Compare the limit of all chunk extensions with each of them."""
    read = ChunkedReader._read_size

    def alone(self: ChunkedReader, line: bytes) -> int:
        self._extensions = 0
        return read(self, line)

    patch.setattr(ChunkedReader, "_read_size", alone)


def close_after_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """Discard no body."""
    patch.setattr(Connection, "_can_discard", lambda self, request: False)


def lose_a_byte_of_a_refused_body(patch: pytest.MonkeyPatch) -> None:
    """Discard a byte less than a refused body has: it begins the next request."""
    discard = Connection._discard_content

    def less(self: Connection, *values: Any) -> None:
        discard(self, *values)
        content = self._parser._content
        if isinstance(content, LengthReader) and content.remaining > 1:
            content.remaining -= 1

    patch.setattr(Connection, "_discard_content", less)


def chunk_for_old_clients(patch: pytest.MonkeyPatch) -> None:
    """Send streams in chunks to HTTP/1.0 clients, too."""
    begin = serializer._begin_body

    def chunk(request: Any, *values: Any) -> Any:
        version, request.head.version = request.head.version, 1
        result = begin(request, *values)
        request.head.version = version
        return result

    patch.setattr(serializer, "_begin_body", chunk)


def stop_without_a_timeout(patch: pytest.MonkeyPatch) -> None:
    """Wait for every connection when the server stops."""
    patch.setattr(Shutdown, "on_deadline", lambda self: setattr(self, "deadline", float("inf")))


def log_another_status(patch: pytest.MonkeyPatch) -> None:
    """Log every response as a success."""
    begin = UnsentExchanges.begin

    def success(self: UnsentExchanges, exchange: Any, start: int) -> None:
        exchange.status = 200
        begin(self, exchange, start)

    patch.setattr(UnsentExchanges, "begin", success)


def keep_results(patch: pytest.MonkeyPatch) -> None:
    """Never drop the result of a closed connection."""
    patch.setattr(Connection, "drop_result", lambda self: None)


def grow_a_cache(patch: pytest.MonkeyPatch) -> None:
    """Never clear a full cache."""
    patch.setattr(BoundedCache, "clear", lambda self: None)


def cache_long_keys(patch: pytest.MonkeyPatch) -> None:
    """Cache keys of any length."""
    put = BoundedCache.put

    def any_length(self: Any, key: Any, value: Any) -> None:
        length, self.max_length = self.max_length, 1 << 30
        put(self, key, value)
        self.max_length = length

    patch.setattr(BoundedCache, "put", any_length)


def send_without_a_share(patch: pytest.MonkeyPatch) -> None:
    """Send as much as the socket takes."""
    send = WriteBuffer.flush_bytes
    patch.setattr(WriteBuffer, "flush_bytes", lambda self, sock, share: send(self, sock, 1 << 30))


def answer_without_a_share(patch: pytest.MonkeyPatch) -> None:
    """Answer all pipelined requests in one turn."""
    init = ServerContext.__init__

    def unlimited(self: ServerContext, *values: Any, **options: Any) -> None:
        init(self, *values, **options)
        self.request_share = range(10**6)

    patch.setattr(ServerContext, "__init__", unlimited)


def reset_after_a_disk_failure(patch: pytest.MonkeyPatch) -> None:
    """Close the connection when a body could not be stored, without saying so."""
    close = Connection._close_request_body

    def lose(self: Connection) -> None:
        failed = self._request_body is not None and self._parser.phase is PHASE_ENDED
        close(self)
        if failed:
            self._write_buffer.clear()

    patch.setattr(Connection, "_close_request_body", lose)


CONNECTION_PLANTS: dict[Plant, int] = {
    exceed_the_connection_limit: 1,
    evict_the_newest: 4,
    evict_what_has_unread_bytes: 1,
    evict_nothing: 1,
    accept_without_a_share: 1,
    pause_for_long: 1,
    pause_after_a_close: 1,
    never_accept_again: 4,
    keep_stale_deadlines: 1,
    call_without_a_share: 3,
    count_all_windows_together: 1,
    keep_alive_after_a_stream: 1,
    count_each_chunk_alone: 33,
    count_each_extension_alone: 3,
    close_after_a_refusal: 1,
    lose_a_byte_of_a_refused_body: 1,
    chunk_for_old_clients: 1,
    stop_without_a_timeout: 8,
    log_another_status: 1,
    keep_results: 3,
    grow_a_cache: 1,
    cache_long_keys: 3,
    send_without_a_share: 2,
    answer_without_a_share: 1,
    reset_after_a_disk_failure: 3,
}

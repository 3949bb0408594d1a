"""The sizes of what the server keeps: bounded at all times, and at rest when all clients have left.

    heap of deadlines     its stale entries are counted, and at most as many as live ones (or ``MIN_STALE``)
    soon, left over       no closed connection in the first; both are empty at the end
    connection            between two requests it keeps no byte, body or log entry
    share of a turn       bytes received and sent, requests, and bytes compressed
    caches                of heads, chunk sizes, compressed content and files: entries and key lengths
    access log            empty after each turn
    results, workers      none is left at the end

The caches are made small, and the heap is rebuilt for a few stale entries, so that it happens in one seed.
"""

from math import inf
from typing import TYPE_CHECKING, Any

from reactor.handlers.files import cache as file_cache
from reactor.http11.cache import BoundedCache
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.state import State
from reactor.server.worker_pool import MAX_WAITING

if TYPE_CHECKING:
    from tests.simulation.site import Site

CACHE_ENTRIES, CACHED_LENGTH = 4, 200
MIN_STALE = 4  # entries of the heap: fewer are not worth a new heap
OTHER_HANDLERS = 8  # event handlers that are not connections
SAME_TIME = 8  # entries of one handler for the same time, which do not count as stale


def shrink_caches(context: ServerContext) -> None:
    """Replace the caches of a server by small ones."""
    reader = context.head_reader
    reader.heads = BoundedCache(CACHE_ENTRIES, CACHED_LENGTH)
    reader.chunk_sizes = BoundedCache(CACHE_ENTRIES, 8)
    context.serializer._compressed = BoundedCache(CACHE_ENTRIES, CACHED_LENGTH)


class Sizes:
    """Watches what one site keeps."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._fail = site.world.fail
        self._most_handlers = 0

    def check_turn(self) -> None:
        """Check what changes in every turn."""
        site = self._site
        # Stale entries are counted when one is added, so that live ones may have left the heap since then.
        handlers = self._most_handlers = max(
            self._most_handlers, len(site.context.connections) + OTHER_HANDLERS
        )
        entries = len(site.reactor._deadlines)
        if entries > max(handlers + MIN_STALE, 2 * handlers) + SAME_TIME:
            self._fail(f"the heap of deadlines has {entries} entries for {handlers} handlers")
        for handler in site.reactor._soon:
            if isinstance(handler, Connection) and handler.state is State.CLOSED:
                self._fail(f"{handler!r} is still to be called soon")
        access_log = site.context.access_log
        if access_log is not None and access_log._entries and not site.exited:
            self._fail("the access log keeps entries after a turn")
        self._check_shares()

    def _check_shares(self) -> None:
        site, settings = self._site, self._site.settings
        for counts, limit, words in (
            (site.network.received, settings.turn_read, "bytes were received"),
            (site.network.received_into, settings.turn_read_file, "bytes were received for a file"),
            (site.network.sent, settings.turn_send, "bytes were sent"),
            # A result that has come is answered, and then a share of requests.
            (site.responses, settings.turn_requests + 1, "requests were answered"),
            (site.compressed, 2 * settings.turn_compress, "bytes were compressed"),
        ):
            for key, count in counts.items():
                if count > limit:
                    self._fail(f"{count} {words} for {key} in a turn, limit {limit}")
        site.responses.clear()
        site.compressed.clear()

    def check_everything(self) -> None:
        """Check what changes slowly."""
        site = self._site
        deadlines = site.reactor._deadlines
        stale = sum(when != handler.reactor_deadline for when, _, handler in deadlines._heap)
        if stale > deadlines._stale:
            self._fail(f"the heap of deadlines has {stale} stale entries, not {deadlines._stale}")
        for connection in site.connections.values():
            self._check_connection(connection)
        self._check_caches()
        if len(site.context._at_next_close) > 1:
            self._fail("more than the acceptor waits for the next close")

    def _check_connection(self, connection: Connection) -> None:
        """Check that a connection between two requests keeps nothing."""
        if connection.state not in (State.IDLE, State.ACCEPTED):
            return
        buffer, exchanges = connection._write_buffer, connection._unsent_exchanges
        kept = buffer.size or buffer._data or buffer.body or connection._request_body
        if kept or connection.unparsed or (exchanges is not None and exchanges._exchanges):
            self._fail(f"{connection!r} keeps something between two requests")

    def _check_caches(self) -> None:
        site, reader = self._site, self._site.context.head_reader
        caches: dict[str, BoundedCache[bytes, Any]] = {
            "heads": reader.heads,
            "chunk sizes": reader.chunk_sizes,
            "compressed content": site.context.serializer._compressed,
        }
        for name, cache in caches.items():
            longest = max(map(len, cache), default=0)
            if len(cache) > CACHE_ENTRIES or longest > cache.max_length:
                self._fail(f"the cache of {name} has {len(cache)} entries, the longest of {longest} bytes")
        files = site.store._cache
        size = sum(entry.cost for entry in files.values())
        if not size == files._size <= file_cache.MAX_TOTAL_SIZE:
            self._fail(f"the file cache holds {size} bytes, and has counted {files._size}")

    def check_end(self) -> None:
        """Check that nothing is left when all clients have left."""
        site = self._site
        reactor = site.reactor
        self.check_everything()
        finite = sum(each.deadline != inf for _, _, each in reactor._deadlines._heap)
        if reactor._soon or reactor._order.left_over or finite or len(reactor._deadlines) > 2 * MIN_STALE:
            self._fail(f"the loop keeps {len(reactor._deadlines)} deadlines, {reactor._soon}")
        if site.context.abandoned:
            self._fail(f"{len(site.context.abandoned)} results are never dropped")
        if site.pool._queue.qsize() or site.pool._room._value != MAX_WAITING:
            self._fail("the worker pool has functions left")
        slots: Any = site.store.compressions
        if slots._value != slots._initial_value:
            self._fail(f"{slots._initial_value - slots._value} compressions never end")

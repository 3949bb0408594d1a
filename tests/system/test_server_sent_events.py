"""Server-sent events from a thread: every reader gets every event, once and in order; stopping is prompt.

``python -m tests.system.test_server_sent_events`` does it with 1,000 readers and 10 events per second for a
minute, and prints figures.
"""

import selectors
import socket
import time
from contextlib import ExitStack

import pytest

from tests.support.process import ANNOUNCE, ServerProcess

# The thread begins when all readers are connected, and numbers its events.
PROGRAM = (
    ANNOUNCE
    + """
import threading
import time

from reactor import Response, Router, serve

routes, streams, connected = Router(), [], threading.Event()
readers, count, interval = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


@routes.get("/events")
def events(request):
    response = Response.events()
    streams.append(response.content)
    if len(streams) == readers:
        connected.set()
    return response


def feed():
    connected.wait()
    due = time.monotonic()
    for number in range(count):
        for stream in streams:
            stream.send(str(number))
        due += interval
        time.sleep(max(0.0, due - time.monotonic()))


threading.Thread(target=feed, daemon=True).start()
serve(routes, port=0, access_log=None, on_ready=announce)
"""
)


def read_events(address: tuple[str, int], readers: int, count: int) -> list[bytes]:
    """Connect all readers and read until each has the event ``count - 1``; return what each got."""
    received = [bytearray() for _ in range(readers)]
    last = b"data: %d\n\n" % (count - 1)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for number in range(readers):
            sock = stack.enter_context(socket.create_connection(address, timeout=20))
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
            selector.register(sock, selectors.EVENT_READ, number)
        waiting = readers
        while waiting:
            ready = selector.select(20)
            assert ready, f"{waiting} readers wait for events"
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                assert data, "the server closed a stream"
                received[key.data] += data
                waiting -= received[key.data].endswith(last + b"\r\n")
        return [bytes(each) for each in received]


def events_of(response: bytes) -> list[int]:
    """Return the numbers of the events in a chunked response without heartbeats."""
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"Content-Type: text/event-stream" in head
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content, body = content + body[:length], body[length + 2 :]
    return [int(each.removeprefix(b"data: ")) for each in content.split(b"\n\n")[:-1]]


def run(readers: int, count: int, interval: float) -> tuple[float, float]:
    """Return the seconds that the events took, and those from SIGTERM to the end of the process."""
    with ServerProcess(command=("-c", PROGRAM, str(readers), str(count), str(interval))) as server:
        began = time.monotonic()
        received = read_events(("127.0.0.1", server.port), readers, count)
        took = time.monotonic() - began
        assert [events_of(each) for each in received] == [list(range(count))] * readers
        stopped = time.monotonic()
        server.terminate()
        assert server.exit_code() == 0
        return took, time.monotonic() - stopped


@pytest.mark.system
def test_every_reader_gets_every_event_once_and_in_order() -> None:
    run(readers=100, count=50, interval=0.01)


if __name__ == "__main__":
    print("1,000 readers, 600 events each: {:.1f} s; stopped after {:.2f} s".format(*run(1_000, 600, 0.1)))

"""The floor: a selectors loop that receives, sends a constant response per head, and does nothing else.

It is the upper bound for a Python server on one selector; the difference to it is the cost of HTTP.
The benchmarks run it as ``python -m benchmarks.bare_loop PORT``.
"""

import selectors
import socket
import sys

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nVary: Accept-Encoding\r\n"
    b"Date: Sun, 01 Nov 2026 00:00:00 GMT\r\nContent-Length: 3\r\n\r\nabc"
)


def main(port: int) -> None:
    """Serve on a loopback port until killed."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    print(f"reactor: serving on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, connection)
                continue
            connection = key.data
            try:
                if data := connection.recv(65536):
                    connection.send(RESPONSE * data.count(b"\r\n\r\n"))
                    continue
            except OSError:
                pass  # reset by the load generator at the end of a round
            selector.unregister(connection)
            connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Lesson 9: select and epoll with 1,000 handles, one of which is ready.

``select`` receives all handles with each call and checks each of them; with ``epoll`` they are registered
once. (On platforms without epoll, the default selector is used instead, such as kqueue.)
"""

import selectors
import socket
import time
from contextlib import ExitStack

PAIRS = 500  # 1,000 handles: select supports no file descriptor above 1,023
CALLS = 300


def measure(selector: selectors.BaseSelector, handles: list[socket.socket]) -> float:
    """Return the duration of one call, in seconds."""
    for handle in handles:
        selector.register(handle, selectors.EVENT_READ)
    began = time.perf_counter()
    for _ in range(CALLS):
        ready = selector.select(0)
    elapsed = time.perf_counter() - began
    assert len(ready) == 1, f"{len(ready)} handles are ready"
    selector.close()
    return elapsed / CALLS


def main() -> None:
    """Measure both selectors with few handles and with many."""
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(PAIRS)]
        for each in pairs:
            stack.enter_context(each[0])
            stack.enter_context(each[1])
        handles = [handle for pair in pairs for handle in pair]
        pairs[0][1].send(b"x")
        for selector in (selectors.SelectSelector, selectors.DefaultSelector):
            few, many = measure(selector(), handles[:10]), measure(selector(), handles)
            name = selector.__name__.removesuffix("Selector").lower()
            print(
                f"{name + ':':8}{few * 1e6:.1f} us with 10 handles, {many * 1e6:.1f} us with {len(handles)}"
            )


if __name__ == "__main__":
    main()

"""A ticker: sends prices, from clients and from a thread, to all readers as server-sent events."""

import random
import sys
from collections import deque
from threading import Event, Lock, Thread
from uuid import uuid4

from reactor import EventStream, HTTPError, Request, Response, Router, Server, serve

PAGE = """<!doctype html><title>Ticker</title><h1>Price: <output>-</output></h1><script>
new EventSource("/prices").onmessage = e => document.querySelector("output").value = e.data</script>"""
routes = Router()
history: deque[tuple[str, str]] = deque(maxlen=100)  # ids, which are unique after a restart, too; prices
readers: set[EventStream] = set()
lock, stopping = Lock(), Event()  # the lock is for history and readers: the feed has a thread of its own


def publish(price: float) -> None:
    with lock:
        history.append((uuid4().hex, f"{price:.2f}"))
        for reader in [each for each in readers if not each.send(history[-1][1], id=history[-1][0])]:
            reader.close()  # it has disconnected, or is too slow and connects again
            readers.remove(reader)


@routes.post("/price")
def post_price(request: Request) -> Response:
    price = request.json()
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= 1e9:
        raise HTTPError(422, "expected a number from 0 to 1e9, such as 12.5")
    publish(price)
    return Response(204)


@routes.get("/prices")
def prices(request: Request) -> Response:
    response, last = Response.events(), request.headers.get("last-event-id", "")
    with lock:
        seen = [number for number, _ in history].index(last) + 1 if last in dict(history) else 0
        for number, price in list(history)[seen:]:
            response.content.send(price, id=number)
        readers.add(response.content)
    return response


def run_feed() -> None:
    while not stopping.wait(0.5):
        publish(random.uniform(99, 101))


def start(server: Server) -> None:
    print(f"reactor: serving on {server.url} (ticker)", file=sys.stderr)
    Thread(target=run_feed).start()


routes.get("/")(lambda request: Response.html(PAGE))
if __name__ == "__main__":
    serve(routes, port=int(sys.argv[1]), on_ready=start, on_stop=lambda server: stopping.set())

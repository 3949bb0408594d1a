"""Fifty clients guess a password at once: a server process delays them, by a clock that the test sets."""

from base64 import b64encode
from collections import Counter

from tests.support.process import ANNOUNCE, ServerProcess

GUESSES = 50

# A server whose clock advances only by ``/advance``, which requires the password.
PROGRAM = f"""
{ANNOUNCE}
from reactor import Response, Server
from reactor.basic_auth import AuthRouter, digest

now = [1000.0]
routes = AuthRouter(digest("anna:right"))

@routes.get("/advance/{{seconds}}")
def advance(request):
    now[0] += float(request.params["seconds"])
    delayed = [each.is_delayed for each in server.context.connections.values()]
    return Response.text(str(sum(delayed)))

with Server(routes, port=0, clock=lambda: now[0]) as server:
    server.run(lambda: announce(server))
"""


def credentials(password: str) -> str:
    return f"Authorization: Basic {b64encode(f'anna:{password}'.encode()).decode()}"


def test_fifty_parallel_guesses_are_delayed() -> None:
    with ServerProcess(command=("-c", PROGRAM)) as server:
        clients = [server.connect() for _ in range(GUESSES)]
        for number, client in enumerate(clients):
            client.send_head("GET", "/", credentials(f"guess {number}"))
        owner = server.connect()

        def waiting(advance: float = 0.0) -> int:
            """Return the number of clients that wait, then advance the clock of the server."""
            answer = owner.get(f"/advance/{advance}", credentials("right"))
            assert answer.status == 200, "a right password is delayed"
            return int(answer.content)

        for seconds, left in ((0, 50), (0.25, 49), (0.5, 48), (1, 47), (2, 46), (1.25, 0)):
            waiting(seconds)
            # The loop handles requests before timers: let it take turns.
            assert any(waiting() == left for _ in range(1000)), (seconds, left, waiting())
        assert Counter(client.answer().status for client in clients) == {401: 4, 429: 46}
    lines = [
        line for line in server.stderr.rest() if line.startswith("failed login from 127.0.0.1 as 'anna'")
    ]
    assert len(lines) == len((1, 2, 4, 8, 16, 32))

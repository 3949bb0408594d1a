"""Testing an application: a client without a network, and a server that runs during a test.

with Client(routes) as client:
    response = client.post("/items", json={"name": "tea"})
    assert (response.status, response.json()) == (201, {"id": 1})
    with client.stream("GET", "/events") as events:
        assert b"tea" in events.read(at_least=1)

with running(routes) as url:
    urlopen(url + "/items")
"""

from reactor.testing.client import Client, ClientResponse, ClientStream
from reactor.testing.running import running

__all__ = ["Client", "ClientResponse", "ClientStream", "running"]

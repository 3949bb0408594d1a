from tests.harness import Harness


def test_a_request_is_answered_and_the_connection_persists():
    with Harness() as server:
        client = server.connect()
        assert client.get("/echo/abc").content == b"abc"
        assert client.get("/").content == b""
        server.clock.advance(74)
        client.assert_open()
        server.clock.advance(1.1)
        client.assert_closed()

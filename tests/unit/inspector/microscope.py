"""A real server with a microscope, and a client for its API."""

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from reactor.inspector.demo import DEMOS, DemoClient
from tests.support.command import CommandServer
from tests.support.process import COMMAND, ClientConnection, RunningServer, ServerProcess, head

NOTE = re.compile(r"inspector on http://\S+:([0-9]+)/,")


def inspector_port(server: RunningServer) -> int:
    """Return the port of the inspector, from the start line."""
    match = NOTE.search(server.start_line)
    assert match is not None, server.start_line
    return int(match[1])


def speed_up(patch: pytest.MonkeyPatch, name: str, factor: float = 20) -> None:
    """Shorten the waits of a demo's clients."""
    script = DEMOS[name].script

    def faster(client: DemoClient) -> Iterator[float]:
        for seconds in script(client):
            yield seconds / factor

    patch.setitem(DEMOS, name, DEMOS[name]._replace(script=faster))


class InspectorClient:
    """The requests of the inspector's page."""

    inspector = 0  # port of the inspector

    def ask(self, path: str, *lines: str) -> tuple[int, bytes]:
        """Send a GET request to the inspector."""
        with ClientConnection(self.inspector) as connection:
            answer = connection.get(path, *lines)
            return answer.status, answer.content

    def post(self, path: str, data: object) -> tuple[int, Any]:
        """Post JSON to the inspector; return the status, and the JSON or text of the response."""
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        with ClientConnection(self.inspector) as connection:
            connection.send(
                head("POST", path, "Content-Type: application/json", f"Content-Length: {len(content)}")
                + content
            )
            answer = connection.answer()
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(answer.content) if is_json else answer.content.decode()

    def do(self, what: str, **others: object) -> None:
        """Send a command to /control."""
        status, answer = self.post("/control", {"do": what, **others})
        assert status == 200, answer

    def open_events(self) -> "EventStream":
        """Open the event stream."""
        return EventStream(self.inspector)


INSPECT = ("--inspect", "127.0.0.1:0", "--no-access-log")


class Microscope(InspectorClient, CommandServer):
    """A server with ``--inspect`` on a free port, in a thread."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*INSPECT, *arguments)

    def __enter__(self) -> "Microscope":
        super().__enter__()
        self.inspector = inspector_port(self)
        return self


class MicroscopeProcess(InspectorClient, ServerProcess):
    """A server with ``--inspect`` on a free port, in a process of its own."""

    def __init__(self, *arguments: str, command: tuple[str, ...] = COMMAND) -> None:
        super().__init__(*INSPECT, *arguments, command=command)

    def __enter__(self) -> "MicroscopeProcess":
        super().__enter__()
        self.inspector = inspector_port(self)
        return self

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.send_signal(signal.SIGINT)
        return self.exit_code()


class EventStream:
    """A reader of ``/events``."""

    def __init__(self, port: int) -> None:
        self.connection = ClientConnection(port)
        self.connection.send_head("GET", "/events")
        assert b"200 OK" in self.connection.read_head()
        self._text = b""
        name, self.hello = self.next()
        assert name == "hello"

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def next(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next event."""
        while b"\n\n" not in self._text:
            self._text += self._chunk()
        event, _, self._text = self._text.partition(b"\n\n")
        first, second = event.decode().split("\n")
        return first.removeprefix("event: "), json.loads(second.removeprefix("data: "))

    def until(self, condition: Any) -> dict[str, Any]:
        """Wait for a frame that satisfies a condition."""
        for _ in range(60):
            name, frame = self.next()
            assert name == "frame"
            if condition(frame):
                return frame
        raise AssertionError(f"no frame satisfied the condition; the last one: {frame}")

    def _chunk(self) -> bytes:
        while b"\r\n" not in self.connection.received:
            self._receive()
        size, _, rest = self.connection.received.partition(b"\r\n")
        length = int(size, 16)
        self.connection.received = rest
        while len(self.connection.received) < length + 2:
            self._receive()
        chunk = self.connection.received[:length]
        self.connection.received = self.connection.received[length + 2 :]
        return chunk

    def _receive(self) -> None:
        data = self.connection.sock.recv(1 << 18)
        assert data, "the stream has ended"
        self.connection.received += data

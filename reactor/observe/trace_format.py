"""What the lines of a trace look like: Google's Trace Event Format, one event a line.

    Phase    What it is                             On which track
    M        the names of the process and thread    -
    X        a slice, with its length               the loop
    s f      an arrow, to the slice around its end  the loop
    b n e    a state begins, a moment, a state ends one a connection, by its id
    C        a counter has a new value              one a counter, by its name
    i        the trace ends                         the loop

Each line ends in a comma, and the array has its closing bracket only where the trace was closed: the
format needs none. Names are of this module, so that they can be searched for; what a client sent is only
in the method and the target, cut and escaped. It knows no file, and not when a line is written.
"""

import json

from reactor.event_handler import EventHandler
from reactor.http11.target import Target
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.connection import ACCEPTED, CLOSED, Connection
from reactor.server.state import State

MAX_LENGTH = 100  # characters of a method, a target, a route or a reason
# Bytes that the lines of one event take at most, and those that end one connection.
MAX_EVENT_SIZE, MAX_END_SIZE = 1000, 300

# Times count eighths of a microsecond: in a binary fraction they are exact, so that no reader who makes
# nanoseconds of them has one slice end after the one around it.
TICKS = 8e6  # in a second
_EIGHTHS = ("", ".125", ".25", ".375", ".5", ".625", ".75", ".875")

# By event mask; nothing for DEADLINE and SOON, for which no handle is ready.
READINESS = ("", ',"readiness":"read"', ',"readiness":"write"', ',"readiness":"read and write"', "")
_ON_LOOP = '"pid":1,"tid":1'


def microseconds(seconds: float) -> str:
    """Write a time in microseconds.

    >>> microseconds(1.0000004)
    '1000000.375'
    """
    ticks = int(seconds * TICKS)
    return f"{ticks >> 3}{_EIGHTHS[ticks & 7]}"


def span(began: float, ended: float) -> tuple[str, str]:
    """Write in microseconds when something began, and how long it took, so that the sum is when it ended.

    >>> span(1e-6, 3.3e-6)
    ('1', '2.25')
    """
    ticks = int(began * TICKS)
    lasted = int(ended * TICKS) - ticks
    return f"{ticks >> 3}{_EIGHTHS[ticks & 7]}", f"{lasted >> 3}{_EIGHTHS[lasted & 7]}"


def to_json(text: str) -> str:
    r"""Write a text that is not ours: cut, escaped, in quotes; at most two bytes for each of MAX_LENGTH.

    >>> print(to_json('a"b' + chr(10)))
    "a\"b\n"
    """
    written = json.dumps(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "...")
    return written if len(written) <= 2 * MAX_LENGTH else json.dumps(text[: MAX_LENGTH // 12] + "...")


# The loop.


def head_lines(process: int) -> str:
    """Write the beginning of the array, and what the tracks are called."""
    names = (("process_name", f"reactor {process}"), ("thread_name", "loop"))
    return "[\n" + "".join(
        f'{{"ph":"M",{_ON_LOOP},"name":"{what}","args":{{"name":"{name}"}}}},\n' for what, name in names
    )


def last_line(reason: str, at: str) -> str:
    """Write the last element, which has no comma behind it, and the end of the array."""
    words = f'"reason":"{reason}"'
    return f'{{"ph":"i",{_ON_LOOP},"s":"g","name":"end of trace","ts":{at},"args":{{{words}}}}}\n]\n'


def slice_line(name: str, at: str, lasted: str, words: str) -> str:
    """Write a slice of the loop; ``words`` are what is said of it, as the members of an object."""
    return f'{{"ph":"X",{_ON_LOOP},"name":"{name}","ts":{at},"dur":{lasted},"args":{{{words}}}}},\n'


def arrow_start_line(flow: int, at: str) -> str:
    """Write the beginning of an arrow."""
    return f'{{"ph":"s",{_ON_LOOP},"cat":"readiness","name":"ready","id":{flow},"ts":{at}}},\n'


def arrow_end_line(flow: int, at: str) -> str:
    """Write the end of an arrow: "bp" binds it to the slice that it is in, not to the next."""
    return f'{{"ph":"f",{_ON_LOOP},"cat":"readiness","name":"ready","id":{flow},"ts":{at},"bp":"e"}},\n'


def counter_line(name: str, at: str, value: float) -> str:
    """Write the value that a counter has from now on."""
    return f'{{"ph":"C","pid":1,"name":"{name}","ts":{at},"args":{{"value":{value}}}}},\n'


def request_args(method: str, target: Target, template: str) -> str:
    """Write what a slice says of a request."""
    return f'"method":{to_json(method)},"route":{to_json(template)},"target":{to_json(str(target))}'


def handler_args(handler: EventHandler) -> str:
    """Write which event handler was called: a closed connection, or one that is no connection."""
    if isinstance(handler, Connection):
        return f'"connection":{handler.number}'
    descriptor = -1 if handler.handle is None else handler.handle.fileno()
    return f'"handler":"{type(handler).__name__}"' + ("" if descriptor < 0 else f',"fd":{descriptor}')


# Connections.


class Track:
    """The lines of one open connection.

    ``args`` is what its hooks say of it, ``held`` how many bytes it held when it was last looked at.
    What is the same in each line is kept: a connection changes its state twice a request.
    """

    __slots__ = ("_answered", "_changes", "_id", "_state", "args", "connection", "held")

    def __init__(self, connection: InstrumentedConnection) -> None:
        self.connection = connection
        descriptor = connection.handle.fileno()
        self.args = f'"connection":{connection.number}' + ("" if descriptor < 0 else f',"fd":{descriptor}')
        self.held = 0
        self._state = ACCEPTED
        self._id = f'{_ON_LOOP},"cat":"connection","id":"c{connection.number}"'
        self._answered = self._begin_line("n", "answered")
        self._changes: dict[int, tuple[str, str]] = {}  # by the numbers of both states

    def _begin_line(self, phase: str, name: str) -> str:
        return f'{{"ph":"{phase}",{self._id},"name":"{name}","ts":'

    def began(self, at: str) -> str:
        """Write that the connection begins, and its first state."""
        first = f'{self._begin_line("b", "connection")}{at},"args":{{{self.args}}}}},\n'
        return f"{first}{self._begin_line('b', ACCEPTED.name)}{at}}},\n"

    def changed(self, after: State, at: str) -> str:
        """Write that the state ends and another begins; the last one is none."""
        before, self._state = self._state, after
        if after is CLOSED:
            return f"{self._begin_line('e', before.name)}{at}}},\n"
        key = before.index << 4 | after.index
        lines = self._changes.get(key)
        if lines is None:
            end, begin = self._begin_line("e", before.name), self._begin_line("b", after.name)
            lines = self._changes[key] = end, "},\n" + begin
        return f"{lines[0]}{at}{lines[1]}{at}}},\n"

    def answered(self, at: str, request: int, status: int, count: int) -> str:
        """Write that a response was sent, as the access log has it."""
        words = f'"request":{request},"status":{status},"bytes":{count}'
        return f'{self._answered}{at},"args":{{{words}}}}},\n'

    def refused(self, at: str, status: int, reason: str) -> str:
        """Write that something was not accepted, and why."""
        words = f'"status":{status},"reason":{to_json(reason)}'
        return f'{self._begin_line("n", "refused")}{at},"args":{{{words}}}}},\n'

    def ended(self, at: str, reason: str) -> str:
        """Write that the connection ends, and why; its state first, where that has not ended."""
        state = "" if self._state is CLOSED else self.changed(CLOSED, at)
        return f'{state}{self._begin_line("e", "connection")}{at},"args":{{"reason":"{reason}"}}}},\n'

"""The lines of a trace, in Google's Trace Event Format: one event per line.

    Phase    Meaning                                  Track
    M        the names of the process and thread      -
    X        a slice, with its duration               the loop
    s f      an arrow to the slice around its end     the loop
    b n e    a state begins, an instant, a state ends one per connection, by id
    C        a counter has a new value                one per counter, by name
    i        the trace ends                           the loop

Each line ends with a comma. The array has a closing bracket only if the trace was closed: the format does not
require one. Event names are constants, so that they can be searched for; text from the client appears only in
the method and the target, truncated and escaped.
"""

import json

from reactor.event_handler import EventHandler
from reactor.http11.target import Target
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.connection import CLOSED, Connection
from reactor.server.state import State

MAX_LENGTH = 100  # characters of a method, a target, a route or a reason
# Maximum bytes of the lines of one event, and of the lines that end one connection.
MAX_EVENT_SIZE, MAX_END_SIZE = 1000, 300

# Times are in eighths of a microsecond, which are exact as binary fractions: a viewer that converts them to
# nanoseconds cannot make a slice end after the one that encloses it.
TICKS = 8e6  # in a second
_EIGHTHS = ("", ".125", ".25", ".375", ".5", ".625", ".75", ".875")

# Indexed by an event mask, or by DEADLINE or SOON, which have no ready handle.
READINESS = ("", ',"readiness":"read"', ',"readiness":"write"', ',"readiness":"read and write"', "")
_ON_LOOP = '"pid":1,"tid":1'


def microseconds(seconds: float) -> str:
    """Format a time in microseconds.

    >>> microseconds(1.0000004)
    '1000000.375'
    """
    ticks = int(seconds * TICKS)
    return f"{ticks >> 3}{_EIGHTHS[ticks & 7]}"


def span(began: float, ended: float) -> tuple[str, str]:
    """Format a start and a duration in microseconds, so that their sum is exactly the end.

    >>> span(1e-6, 3.3e-6)
    ('1', '2.25')
    """
    ticks = int(began * TICKS)
    lasted = int(ended * TICKS) - ticks
    return f"{ticks >> 3}{_EIGHTHS[ticks & 7]}", f"{lasted >> 3}{_EIGHTHS[lasted & 7]}"


def to_json(text: str) -> str:
    r"""Format a client's text: truncated, escaped and quoted, with at most 2 * MAX_LENGTH bytes.

    >>> print(to_json('a"b' + chr(10)))
    "a\"b\n"
    """
    written = json.dumps(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "...")
    return written if len(written) <= 2 * MAX_LENGTH else json.dumps(text[: MAX_LENGTH // 12] + "...")


# The loop.


def head_lines(process: int) -> str:
    """Return the start of the array, and the names of the process and the thread."""
    names = (("process_name", f"reactor {process}"), ("thread_name", "loop"))
    return "[\n" + "".join(
        f'{{"ph":"M",{_ON_LOOP},"name":"{what}","args":{{"name":"{name}"}}}},\n' for what, name in names
    )


def last_line(reason: str, at: str) -> str:
    """Return the last element, without a comma, and the end of the array."""
    args = f'"reason":"{reason}"'
    return f'{{"ph":"i",{_ON_LOOP},"s":"g","name":"end of trace","ts":{at},"args":{{{args}}}}}\n]\n'


def slice_line(name: str, at: str, lasted: str, args: str) -> str:
    """Return a slice of the loop; ``args`` are its arguments, as members of a JSON object."""
    return f'{{"ph":"X",{_ON_LOOP},"name":"{name}","ts":{at},"dur":{lasted},"args":{{{args}}}}},\n'


def arrow_start_line(flow: int, at: str) -> str:
    """Return the start of an arrow."""
    return f'{{"ph":"s",{_ON_LOOP},"cat":"readiness","name":"ready","id":{flow},"ts":{at}}},\n'


def arrow_end_line(flow: int, at: str) -> str:
    """Return the end of an arrow; "bp" binds it to the enclosing slice, not to the next one."""
    return f'{{"ph":"f",{_ON_LOOP},"cat":"readiness","name":"ready","id":{flow},"ts":{at},"bp":"e"}},\n'


def counter_line(name: str, at: str, value: float) -> str:
    """Return the new value of a counter."""
    return f'{{"ph":"C","pid":1,"name":"{name}","ts":{at},"args":{{"value":{value}}}}},\n'


def request_args(method: str, target: Target, template: str) -> str:
    """Return the arguments that describe a request."""
    return f'"method":{to_json(method)},"route":{to_json(template)},"target":{to_json(str(target))}'


def handler_args(handler: EventHandler) -> str:
    """Return the arguments that describe an event handler without a track."""
    if isinstance(handler, Connection):
        return f'"connection":{handler.number}'
    descriptor = -1 if handler.handle is None else handler.handle.fileno()
    return f'"handler":"{type(handler).__name__}"' + ("" if descriptor < 0 else f',"fd":{descriptor}')


# Connections.


class Track:
    """The lines of one open connection.

    ``args`` are the arguments of its callbacks' slices; ``held`` is the number of bytes it held after the
    last one. Constant parts of lines are cached: a connection changes its state twice per request.
    """

    __slots__ = ("_answered", "_changes", "_id", "_state", "args", "connection", "held")

    def __init__(self, connection: InstrumentedConnection) -> None:
        self.connection = connection
        descriptor = connection.handle.fileno()
        self.args = f'"connection":{connection.number}' + ("" if descriptor < 0 else f',"fd":{descriptor}')
        self.held = 0
        self._state = connection.first_state
        self._id = f'{_ON_LOOP},"cat":"connection","id":"c{connection.number}"'
        self._answered = self._begin_line("n", "answered")
        self._changes: dict[int, tuple[str, str]] = {}  # by the indexes of both states

    def _begin_line(self, phase: str, name: str) -> str:
        return f'{{"ph":"{phase}",{self._id},"name":"{name}","ts":'

    def began(self, at: str) -> str:
        """Return the lines that start the connection and its first state."""
        first = f'{self._begin_line("b", "connection")}{at},"args":{{{self.args}}}}},\n'
        return f"{first}{self._begin_line('b', self._state.name)}{at}}},\n"

    def changed(self, after: State, at: str) -> str:
        """Return the lines that end the current state and start the next one, except CLOSED."""
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
        """Return the line of a finished response, with the access log's fields."""
        args = f'"request":{request},"status":{status},"bytes":{count}'
        return f'{self._answered}{at},"args":{{{args}}}}},\n'

    def refused(self, at: str, status: int, reason: str) -> str:
        """Return the line of a refused request."""
        args = f'"status":{status},"reason":{to_json(reason)}'
        return f'{self._begin_line("n", "refused")}{at},"args":{{{args}}}}},\n'

    def ended(self, at: str, reason: str) -> str:
        """Return the lines that end the connection, and its state if that has not ended."""
        state = "" if self._state is CLOSED else self.changed(CLOSED, at)
        return f'{state}{self._begin_line("e", "connection")}{at},"args":{{"reason":"{reason}"}}}},\n'

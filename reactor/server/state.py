"""The states of a connection, as data.

A state defines what the reactor waits for, the timeout, the action on timeout, and the states that may
follow. ``Connection`` changes its state in one method, which asserts that the new state is a successor of the
old one. The trace, the inspector, the metrics and the simulation use this enum as well.

    RECEIVING_PROXY_HEADER  the header of the PROXY protocol is incomplete
    ACCEPTED                no byte of a request has been received
    IDLE                    every request is answered, and every response is sent
    RECEIVING_HEAD          a request head is incomplete
    CONTINUING              an interim response, such as 100 (Continue), is being sent
    RECEIVING_CONTENT       a request body is incomplete
    RESPONDING              a response is being produced or sent
    YIELDING                requests are left for the next turn: the connection has used its share of this one
    WAITING                 a live stream has no data yet
    AWAITING_RESULT         the handler has returned a Deferred, whose response is not known yet; or the
                            response to a failed login is delayed
    FINISHING               the last response of the connection is being sent
    DRAINING                the last response is sent, and the client has not closed the connection yet
    CLOSED                  the socket is closed
"""

from enum import Enum, StrEnum
from textwrap import wrap

from reactor.event_handler import Interest


class OnTimeout(Enum):
    """The action of a connection when the timeout of its state expires; the value describes it."""

    CLOSE = "close"
    ANSWER_408 = "answer 408"
    MEASURE_RATE = "measure rate"  # answer 408 if the body is too slow, else start another rate window
    ANSWER_503 = "answer 503"  # and close: the application has not produced a result
    SEND_HEARTBEAT = "send heartbeat"  # to a client of server-sent events
    RESET = "reset"  # unless the client has acknowledged bytes


class CloseReason(StrEnum):
    """The reason why a connection was closed; ``text`` describes it."""

    text: str

    CLIENT_CLOSED = "client_closed", "the client closed the connection"
    TIMEOUT = "timeout", "timeout"
    SERVER_CLOSED = "server_closed", "the server stopped, or reached its connection limit"
    HANDLER_FAILED = "handler_failed", "unhandled exception"
    SEND_FAILED = "send_failed", "sending failed: the client is gone"
    BODY_FAILED = "body_failed", "the file or stream that was being sent failed"
    PROXY_HEADER = "proxy_header", "no valid PROXY header was received"
    COMPLETED = "completed", "the last response was sent"

    def __new__(cls, value: str, text: str) -> "CloseReason":
        """Create a member from its value and its text."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member


class State(Enum):
    """The state of a connection.

    ``timeout`` is the name of a field of ``Settings`` without "_timeout". Like ``on_timeout``, it is None for
    a state without a deadline. ``index`` numbers the states from 0, in the order of the table.
    ``parses_requests`` is false while received bytes are not parsed as requests.
    """

    index: int
    successors: tuple["State", ...]

    RECEIVING_PROXY_HEADER = Interest.READ, "proxy_header", OnTimeout.CLOSE, "ACCEPTED DRAINING CLOSED"
    ACCEPTED = (
        Interest.READ,
        "first_octet",
        OnTimeout.CLOSE,
        "RECEIVING_HEAD RECEIVING_CONTENT CONTINUING RESPONDING YIELDING DRAINING CLOSED",
    )
    IDLE = (
        Interest.READ,
        "keep_alive",
        OnTimeout.CLOSE,
        "RESPONDING RECEIVING_HEAD RECEIVING_CONTENT CONTINUING YIELDING DRAINING CLOSED",
    )
    RECEIVING_HEAD = (
        Interest.READ,
        "head",
        OnTimeout.ANSWER_408,
        "RESPONDING RECEIVING_CONTENT CONTINUING YIELDING IDLE CLOSED",
    )
    CONTINUING = Interest.WRITE, "stall", OnTimeout.RESET, "RECEIVING_CONTENT CLOSED"
    RECEIVING_CONTENT = (
        Interest.READ,
        "content",
        OnTimeout.MEASURE_RATE,
        "RESPONDING YIELDING IDLE RECEIVING_HEAD CLOSED",
    )
    RESPONDING = (
        Interest.WRITE,
        "stall",
        OnTimeout.RESET,
        "IDLE RECEIVING_HEAD RECEIVING_CONTENT CONTINUING YIELDING WAITING AWAITING_RESULT FINISHING CLOSED",
    )
    YIELDING = (
        Interest.NONE,
        None,
        None,
        "RESPONDING RECEIVING_HEAD RECEIVING_CONTENT CONTINUING IDLE CLOSED",
    )
    WAITING = Interest.READ, "heartbeat", OnTimeout.SEND_HEARTBEAT, "RESPONDING FINISHING CLOSED"
    AWAITING_RESULT = Interest.READ, "result", OnTimeout.ANSWER_503, "RESPONDING CLOSED"
    FINISHING = Interest.WRITE, "stall", OnTimeout.RESET, "DRAINING WAITING CLOSED"
    DRAINING = Interest.READ, "linger", OnTimeout.CLOSE, "CLOSED"
    CLOSED = Interest.NONE, None, None, ""

    def __init__(
        self, interest: Interest, timeout: str | None, on_timeout: OnTimeout | None, successors: str
    ) -> None:
        self.interest = interest
        self.timeout = timeout
        self.on_timeout = on_timeout
        self.successor_names = successors.split()
        self.parses_requests = self.name not in ("RECEIVING_PROXY_HEADER", "WAITING", "AWAITING_RESULT")


for index, state in enumerate(State):
    state.index = index
    state.successors = tuple(State[name] for name in state.successor_names)
del index, state


def table() -> str:
    """Return the table of all states, with "-" for an empty cell."""
    rows = [("State", "Waits for", "Timeout", "On timeout", "Successors")]
    for state in State:
        interest = state.interest.name if state.interest else "-"
        on_timeout = state.on_timeout.value if state.on_timeout else "-"
        first, *others = wrap(" ".join(each.name for each in state.successors), 40) or ["-"]
        rows.append((state.name, interest, state.timeout or "-", on_timeout, first))
        rows += [("", "", "", "", each) for each in others]
    return "\n".join("{:22}  {:9}  {:12}  {:14}  {}".format(*row) for row in rows)

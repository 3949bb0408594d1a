"""The checker of answers: compares what one client receives with what its script says it must get.

Each answer is checked as it comes: status, content, coding, Connection and Date, and what its exchange
verifies. At the end it checks that nothing is missing. A client is excused from that only if it misbehaved,
or if a fault, a limit or the end of the server has hit its own connection (``excuses``); what did come had to
be right all the same. A failure of the disk excuses nothing: each request is answered, perhaps with an error.
"""

import zlib
from email.utils import formatdate
from functools import lru_cache
from typing import NoReturn

from reactor.server.connection import STOP_GRACE
from tests.simulation.disk import DISK_ERRORS, DISK_FAILURE, REPLACED, Disk
from tests.simulation.scripts import Exchange
from tests.simulation.site import ABORTED, EVICTED, HALF_CLOSED, TOO_MANY_BYTES, Site
from tests.simulation.tcp import TcpConnection
from tests.support.in_process import Answer, parse_response

NOT_READING = "it does not read"
PAUSED_READING = "it does not read at first"
SENT_LATE = "more bytes of it came after the server had waited for its end"
# Failures after which a client's bytes may arrive too late.
DELAYING_REASONS = frozenset({NOT_READING, PAUSED_READING, TOO_MANY_BYTES})
# These may change an answer. They excuse nothing: every request must be answered, until an answer says that
# the connection is closed.
CHANGING_REASONS = frozenset({DISK_FAILURE, PAUSED_READING})
# After these, the client must have got the answers that were made before.
SHORTENING_REASONS = frozenset({EVICTED, HALF_CLOSED, ABORTED})
MAX_SENDING = 10.0  # seconds in which the fast part of a body must arrive
LATE_CLOCK = 0.1  # seconds by which the server's clock is behind while its callbacks are slow
SLACK = 1.0  # seconds in which a deadline must show at the client


class AnswerChecker:
    """Takes the bytes that one client is given. ``since`` is when its timeout began."""

    # For a client whose body becomes too slow: how long it may last, in seconds.
    content_lasts = 0.0

    def __init__(self, site: Site, disk: Disk, name: str, behaviour: str, exchanges: list[Exchange]) -> None:
        self._site = site
        self._world = site.world
        self._disk = disk
        self._name = name
        self._behaviour = behaviour
        self.exchanges = exchanges
        self.required = len(exchanges)  # how many answers must come
        self.answers: list[Answer] = []
        self.continues = 0
        self.ended = ""  # how the server's side ended: "end" or "reset"
        self._received = b""
        self.all_received = bytearray()  # including what has been checked
        self._answered_at: list[float] = []  # when the last two came
        self._ended_at = self._world.now
        self.connected_at = self.since = self.sending_since = self._world.now
        self.jumped = (
            False  # the clock jumped while the client was connected: its connection may have lasted longer
        )
        # It must have got only the answers that were made before the server closed the connection early.
        self.is_shortened = False
        self.stopping = False  # the server may close after any answer, and say so
        self.close_announced = False  # the server is stopping and announced the close: nothing more will come

    def __repr__(self) -> str:
        return f"{self._name} ({self._behaviour}), {len(self.answers)} of {len(self.exchanges)} answers"

    @property
    def is_complete(self) -> bool:
        """Whether all answers have come that must come."""
        return len(self.answers) >= self.required

    @property
    def excuses(self) -> list[str]:
        """Why this client may get fewer answers than it has sent requests."""
        reasons = self._world.allowed_failures.get(self._name, ())
        return [each for each in reasons if each not in CHANGING_REASONS]

    def end(self, how: str) -> None:
        """Note the end of the server's bytes."""
        self.ended, self._ended_at = how, self._world.now
        self._world.log("%s sees the %s", self._name, how)

    def receive(self, data: bytes) -> None:
        """Take bytes that came, b"" for the end, and check each answer that is whole."""
        self._received += data
        self.all_received += data
        if not data:
            self.end("end")
        while self._received:
            place = len(self.answers)
            if place == len(self.exchanges):
                self._fail(f"got more responses than requests: {self._received[:80]!r}")
            exchange = self.exchanges[place]
            # An incomplete head is a HEAD request only if its first line was complete.
            method = "GET" if self._received.startswith(b"HTTP/1.1 408") else exchange.method
            answer, length = parse_response(self._received, method, bool(self.ended))
            if answer is None and self.ended:
                answer, length = parse_response(self._received, exchange.method, True)
            if answer is None:
                break
            self._received = self._received[length:]
            self._check(exchange, answer)

    def stop(self, received: int) -> None:
        """Note that the server stops after receiving this number of requests."""
        self.stopping = True
        self.required = min(self.required, received)

    def check_end(self, tcp: TcpConnection) -> None:
        """Check the total, after the last byte."""
        late = self.ended == "reset" and self._has_lingered(tcp)
        if late:  # the reset may destroy answers that it has not read, required or not
            self._world.allow_failure(self._name, SENT_LATE)
        excuses = self.excuses
        self._world.log("%r has finished: %s", self, ", ".join(excuses or ["all answers are correct"]))
        self.is_shortened = bool(excuses) and self.ended == "end" and SHORTENING_REASONS.issuperset(excuses)
        if self.is_shortened:
            self.required = min(self.required, self._site.answers_before_end.get(self._name, self.required))
        elif excuses:
            return
        if not self.is_complete:
            self._fail(f"got no answers from {self.exchanges[len(self.answers)].words} on ({self.ended})")
        # The server need not finish an interim response to a request that its client did not finish.
        is_interim = self._behaviour == "truncating" and b"HTTP/1.1 1".startswith(self._received[:10])
        if self._received and not is_interim:
            self._fail(f"got a partial answer: {self._received[:80]!r}")
        if self.ended == "reset":
            self._fail("was reset")
        if not excuses:
            self._check_timeout(tcp)

    def check_log(self, logged: list[int]) -> None:
        """Check that the log has the status of each answer, in order, and then only of what broke off."""
        statuses = [answer.status for answer in self.answers]
        if self.excuses:
            return
        if logged[: len(statuses)] != statuses or any(each < 400 for each in logged[len(statuses) :]):
            self._fail(f"got {statuses}, and the log says {logged}")

    def _has_lingered(self, tcp: TcpConnection) -> bool:
        """Return whether the server has waited for the client's end, and was receiving all the time."""
        linger = STOP_GRACE if self.stopping else self._site.settings.linger_timeout
        was_receiving = tcp.received_at > max(tcp.shut_at, tcp.closed_at - SLACK)
        return tcp.closed_at >= tcp.shut_at + linger - LATE_CLOCK and (tcp.sent_late or was_receiving)

    # One answer.

    def _check(self, exchange: Exchange, answer: Answer) -> None:
        """Check one answer against the model."""
        self._world.log("%s gets %d to %s", self._name, answer.status, exchange.words)
        if answer.status == 100:
            self._check_continue(exchange)
            return
        if answer.status == 104:
            problem = exchange.on_interim(answer) if exchange.on_interim is not None else "none was asked for"
            if problem:
                self._fail(f"got 104 for {exchange.words}: {problem}")
            return
        if self.close_announced:
            self._fail(f"got an answer to {exchange.words} after the last one")
        self.answers.append(answer)
        self._answered_at = [*self._answered_at[-1:], self._world.now]
        if answer.status not in exchange.statuses:
            self._check_fault(exchange, answer)
            return
        content = self._decode(exchange, answer)
        right = exchange.content
        matches = right(content) if callable(right) else right in (None, content)
        if exchange.is_live and self.stopping and isinstance(right, bytes):
            matches = right.startswith(content)  # live streams end at once
        if not matches:
            self._fail(f"got {content[:60]!r} ({len(content)} bytes) to {exchange.words}")
        problem = exchange.verify(answer, content) if exchange.verify is not None else ""
        problem = problem or self._disk.features.explain_wrong_fields(answer.headers)
        if problem:
            self._fail(f"got a wrong answer to {exchange.words}: {problem}")
        closes = answer.headers.get("connection") == "close"
        if "transfer-encoding" in answer.headers and exchange.is_old:
            self._fail(f"got a transfer coding to {exchange.words}")
        if exchange.keeps and not closes and answer.headers.get("connection") != "keep-alive":
            self._fail(f"got no Connection: keep-alive after {exchange.words}")
        refuses = closes and answer.status in exchange.may_close
        if refuses:
            self.required = len(self.answers)
        self.close_announced = closes and not exchange.closes and (self.stopping or refuses)
        if closes is not exchange.closes and not self.close_announced:
            self._fail(f"got Connection: {answer.headers.get('connection')} after {exchange.words}")
        self._check_date(answer)

    def _check_continue(self, exchange: Exchange) -> None:
        self.continues += 1
        expecting = sum(b"100-continue" in each.data for each in self.exchanges[: len(self.answers) + 1])
        if self.continues > expecting or not exchange.invites or b"100-continue" not in exchange.data:
            self._fail(f"got 100 Continue for {exchange.words}, which has no Expect field")

    def _check_fault(self, exchange: Exchange, answer: Answer) -> None:
        """Check that an unexpected status is due to a planted fault."""
        allowed_failures = self._world.allowed_failures.get(self._name, ())
        statuses = (*DISK_ERRORS, REPLACED) if exchange.is_upload and self._disk.replaced else DISK_ERRORS
        has_failed = self._disk.has_failed(self._name, exchange.began)
        of_disk = exchange.on_disk and has_failed and answer.status in statuses
        late = not DELAYING_REASONS.isdisjoint(allowed_failures) or (
            self.jumped and self._behaviour in ("truncating", "bursting")
        )
        of_time = answer.status == 408 and late
        if not of_disk and not of_time:
            self._fail(f"got {answer.status} to {exchange.words}, not {exchange.statuses}")
        if answer.headers.get("connection") == "close":
            self.close_announced = True
            self.required = len(self.answers)

    def _decode(self, exchange: Exchange, answer: Answer) -> bytes:
        coding = answer.headers.get("content-encoding")
        if coding is None or exchange.method == "HEAD":
            return answer.content
        if coding != "gzip" or not exchange.compressed:
            self._fail(f"got the coding {coding}, which it did not ask for")
        return zlib.decompress(answer.content, 31)

    def _check_date(self, answer: Answer) -> None:
        """Check that the Date is between the client's connection and now."""
        latest = int(self._world.wall_clock())
        earliest = latest - int(self._world.now - self.connected_at) - 2
        date = answer.headers.get("date")
        if not any(written(second) == date for second in range(latest, earliest, -1)):
            self._fail(f"got the date {date} instead of {written(latest)}")

    # The whole.

    def _check_timeout(self, tcp: TcpConnection) -> None:
        """Check that the timeout came when it was due, if the client waited for it."""
        if self.answers and len(self.answers) < len(self.exchanges):
            return  # an earlier answer has closed the connection
        settings = self._site.settings
        longest = {
            "silent": settings.first_octet_timeout,
            "slow-head": settings.head_timeout + settings.linger_timeout,
            "slow-body": settings.content_timeout + settings.linger_timeout,
            "slowing": self.content_lasts + settings.linger_timeout,
        }.get(self._behaviour)
        # The last answer is the 408; its request could not begin before the previous answer.
        kept = self._ended_at - max(self.since, tcp.accepted_at, *self._answered_at[:-1])
        if longest is not None and not self.jumped and kept > longest + SLACK:
            self._fail(f"stayed open for {kept:.1f} s, not {longest:g} s")
        # Its windows begin after it has begun to send; unless the server was slow to read the first bytes.
        lasted = self._ended_at - self.sending_since + LATE_CLOCK
        is_early = self._behaviour == "slowing" and lasted < self.content_lasts
        if (
            is_early
            and self.since - self.sending_since < MAX_SENDING
            and not self.jumped
            and self.answers
            and self.answers[-1].status == 408
        ):
            self._fail(f"was closed after {lasted:.1f} s, not {self.content_lasts:g} s")

    def _fail(self, reason: str) -> NoReturn:
        self._world.fail(f"{self!r}: {reason}")


@lru_cache(maxsize=4096)
def written(second: int) -> str:
    """Format a second as a Date."""
    return formatdate(second, usegmt=True)

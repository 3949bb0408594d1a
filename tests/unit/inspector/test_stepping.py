"""Holding a loop between two events: the order of calls, the outer reactor's turns, the stopped clock."""

import selectors
from collections.abc import Callable
from functools import partial
from math import inf

import pytest

from reactor.event_handler import EventHandler
from reactor.inspector.main_loop import MainLoop
from reactor.inspector.stepping import SteppedReactor
from reactor.loop import Reactor
from reactor.observe.events import Event, EventKind
from reactor.settings import Settings
from tests.support.in_process import Clock, EagerSelector
from tests.support.loop import CountingSelector, ReactorHarness, Recorder

SLOW_TURN = Settings().slow_turn


class SteppingHarness:
    """A stepped reactor with some handlers, and an outer reactor whose turns are run by the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.outer = Reactor(EagerSelector(), self.clock)
        self.events: list[Event] = []

        def make(selector: CountingSelector, clock: Clock) -> Reactor:
            return SteppedReactor(self.outer, [self.events.extend], selector, SLOW_TURN)

        self.harness = ReactorHarness(make)
        assert isinstance(self.harness.reactor, SteppedReactor)
        self.inner = self.harness.reactor
        self.control = self.inner.control
        # Functions called while the loop is held, one per turn of the outer reactor.
        self.plan: list[Callable[[], None]] = []
        self.outer.at_turn_end(lambda: self.plan.pop(0)() if self.plan else None)
        self.held: list[tuple[str, list[str]]] = []

    def __enter__(self) -> "SteppingHarness":
        return self

    def __exit__(self, *error: object) -> None:
        self.harness.__exit__(None, None, None)
        self.outer.close()

    def do(self, command: Callable[[], None]) -> None:
        """Call a command in an outer turn, at whose end the main loop acts on it."""
        command()
        self.outer.turn()

    def waits_for_main_selector(self) -> bool:
        registered = self.outer._selector.get_map().values()
        return any(isinstance(key.data, MainLoop) for key in registered)

    def add(self, name: str, deadline: float = inf) -> Recorder:
        handler = self.harness.add(name)
        handler.deadline = deadline
        self.inner.refresh(handler)
        return handler

    def note(self, then: Callable[[], None]) -> Callable[[], None]:
        """Record where the loop is held and the calls so far, then call ``then``."""

        def step() -> None:
            at = self.control.held_at
            held = f"{at.step} {at.handler} {at.callback_or_state}" if at else ""
            self.held.append((held, list(self.harness.calls)))
            then()

        return step


def test_a_loop_that_is_not_held_runs_like_a_plain_one() -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        stepping.add("b")
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable", "b readable"]
        assert stepping.control.held_at is None


def test_a_loop_paused_between_turns_is_not_polled() -> None:
    with SteppingHarness() as stepping:
        stepping.control.pause()
        stepping.add("a")
        for _ in range(3):
            stepping.outer.turn()
        assert stepping.harness.calls == []
        assert not stepping.waits_for_main_selector()
        assert stepping.control.held_at is not None
        stepping.do(stepping.control.resume)
        assert stepping.waits_for_main_selector()
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable"]


def test_one_event_at_a_time_in_the_middle_of_a_turn() -> None:
    with SteppingHarness() as stepping:
        for name in "abc":
            stepping.add(name)
        stepping.control.pause()
        control = stepping.control
        stepping.plan = [stepping.note(control.step_event), stepping.note(control.step_event)]
        control.step_event()
        stepping.outer.turn()  # runs the whole turn, which is held twice
        assert [(where, calls) for where, calls in stepping.held if where] == [
            ("dispatch <b> on_readable", ["a readable"]),
            ("dispatch <c> on_readable", ["a readable", "b readable"]),
        ]
        assert stepping.harness.calls == ["a readable", "b readable", "c readable"]
        assert control.held_at is not None
        assert control.held_at.step == "turn"


def test_one_turn_runs_exactly_one_turn() -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        stepping.add("b")
        stepping.control.pause()
        stepping.control.step_turn()
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable", "b readable"]
        stepping.add("c")
        stepping.outer.turn()
        assert len(stepping.harness.calls) == 2
        assert stepping.control.mode == "paused"


def test_slow_motion_holds_each_event_for_its_delay() -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        stepping.add("b")
        stepping.control.slow_motion(2.0)

        def pass_time() -> None:
            stepping.clock.now += 1.0

        stepping.plan = [stepping.note(pass_time) for _ in range(8)]
        began = stepping.clock.now
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable", "b readable"]
        assert stepping.clock.now - began >= 4.0
        assert next(where for where, _ in stepping.held if where) == "dispatch <a> on_readable"


def test_the_clock_of_deadlines_is_stopped_while_held() -> None:
    with SteppingHarness() as stepping:
        late = stepping.harness.add("a", ready=False)
        late.deadline = stepping.inner.clock() + 5.0
        late.then["deadline"] = lambda: None
        stepping.inner.refresh(late)
        stepping.outer.turn()
        stepping.do(stepping.control.pause)
        before = stepping.inner.clock()
        stepping.clock.now += 1000
        stepping.outer.turn()
        assert stepping.inner.clock() == before
        assert stepping.harness.calls == []
        stepping.do(stepping.control.resume)
        stepping.clock.now += 4.9
        stepping.outer.turn()
        assert stepping.harness.calls == []
        stepping.clock.now += 0.2
        stepping.outer.turn()
        assert stepping.harness.calls == ["a deadline"]


def test_a_deadline_is_an_event_that_can_be_held() -> None:
    with SteppingHarness() as stepping:
        late = stepping.harness.add_deadline("d", 1)
        stepping.outer.turn()
        stepping.add("a").then["readable"] = partial(stepping.control.hit_breakpoint, "a test")
        stepping.plan = [stepping.note(stepping.control.resume)]
        stepping.clock.now += 2
        stepping.outer.turn()
        assert stepping.held[0] == ("late <d> on_deadline", ["a readable"])
        assert late.deadline == inf


def test_a_call_in_the_next_turn_is_an_event_that_can_be_held() -> None:
    with SteppingHarness() as stepping:
        first, second = stepping.add("a"), stepping.add("b")
        first.then["readable"] = partial(stepping.inner.soon, second)
        stepping.outer.turn()
        stepping.do(stepping.control.pause)
        stepping.plan = [lambda: None, stepping.note(stepping.control.resume)]
        stepping.add("c")
        stepping.do(stepping.control.step_event)
        stepping.outer.turn()
        assert stepping.held == [("soon <b> on_soon", ["a readable", "b readable", "c readable"])]
        assert stepping.harness.calls[-1] == "b soon"


def test_a_call_soon_makes_a_turn_due() -> None:
    with SteppingHarness() as stepping:
        first = stepping.add("a")
        first.then["readable"] = partial(stepping.inner.soon, first)
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable"]
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable", "a soon"]


def test_a_stale_event_is_not_a_step() -> None:
    with SteppingHarness() as stepping:
        first, second = stepping.add("a"), stepping.add("b")
        first.then["readable"] = partial(stepping.inner.remove, second)
        stepping.add("c")
        stepping.do(stepping.control.pause)
        stepping.plan = [lambda: None, stepping.note(stepping.control.resume)]
        stepping.do(stepping.control.step_event)
        stepping.outer.turn()
        assert stepping.held == [("dispatch <c> on_readable", ["a readable"])]


def test_a_breakpoint_holds_within_a_call_and_one_event_completes_it() -> None:
    with SteppingHarness() as stepping:
        first, _ = stepping.add("a"), stepping.add("b")
        stepping.control.break_on_states = frozenset({"RESPONDING"})
        first.then["readable"] = lambda: stepping.inner.check_breakpoint(first, "RESPONDING")
        stepping.plan = [stepping.note(stepping.control.step_event), stepping.note(stepping.control.resume)]
        stepping.outer.turn()
        assert stepping.held == [
            ("enter <a> RESPONDING", ["a readable"]),
            ("dispatch <b> on_readable", ["a readable"]),
        ]


def test_other_states_do_not_hold_the_loop() -> None:
    with SteppingHarness() as stepping:
        handler = stepping.add("a")
        stepping.control.break_on_states = frozenset({"DRAINING"})
        handler.then["readable"] = lambda: stepping.inner.check_breakpoint(handler, "RESPONDING")
        stepping.outer.turn()
        assert stepping.control.mode == "running"


def test_a_slow_turn_holds_the_loop_if_it_is_a_breakpoint() -> None:
    for is_set, mode in ((True, "paused"), (False, "running")):
        with SteppingHarness() as stepping:
            stepping.control.break_on_slow_turn = is_set
            slow = stepping.add("a")
            slow.then["readable"] = partial(setattr, stepping.clock, "now", stepping.clock.now + 0.2)
            stepping.outer.turn()
            assert stepping.control.mode == mode


def test_a_held_callback_is_not_reported_as_slow(caplog: pytest.LogCaptureFixture) -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        stepping.control.pause()

        def pass_time() -> None:
            stepping.clock.now += 60
            stepping.control.resume()

        stepping.add("b")
        stepping.plan = [pass_time, pass_time]
        stepping.control.step_event()
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable", "b readable"]
        assert [record for record in caplog.records if "slow" in record.getMessage()] == []


def test_events_contain_the_time_waited_by_the_outer_reactor() -> None:
    with SteppingHarness() as stepping:
        late = stepping.harness.add("a", ready=False)
        late.deadline = stepping.inner.clock() + 9.0
        stepping.inner.refresh(late)
        stepping.add("b")
        stepping.outer.turn()
        stepping.clock.now += 2.5
        stepping.add("c")
        stepping.outer.turn()
        assert stepping.harness.selector.timeout == 0
        turns = [event for event in stepping.events if event[0] is EventKind.TURN_STARTED]
        selected = [event for event in stepping.events if event[0] is EventKind.SELECTED]
        assert turns[-1][3] == pytest.approx(9.0)
        assert selected[-1][2] == pytest.approx(2.5)
        times = [event[1] for event in stepping.events]
        assert times == sorted(times)


def test_handlers_of_the_outer_turn_are_called_before_the_loop_is_held() -> None:
    with SteppingHarness() as stepping:
        stepping.harness.add_deadline("d", 1)
        stepping.outer.turn()
        stepping.add("a").then["readable"] = partial(stepping.control.hit_breakpoint, "a test")
        calls: list[float] = []

        class Ticker(EventHandler):
            def on_deadline(self) -> None:
                self.deadline = inf
                calls.append(self.reactor_deadline)

        stepping.outer.register(Ticker(deadline=stepping.clock.now + 1.5))
        called: list[tuple[int, str]] = []

        def count_calls() -> None:
            at = stepping.control.held_at
            called.append((len(calls), at.step if at else ""))
            stepping.control.resume()

        stepping.plan = [count_calls]
        stepping.clock.now += 2
        stepping.outer.turn()
        assert called == [(1, "late")]


def test_events_are_published_before_the_loop_is_held() -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        stepping.add("b")
        published: list[int] = []

        def count_events() -> None:
            published.append(len(stepping.events))
            stepping.control.resume()

        stepping.plan = [count_events]
        stepping.control.pause()
        stepping.control.step_event()
        stepping.outer.turn()
        assert published[0] > 0


def test_a_selector_is_readable_when_one_of_its_handles_is() -> None:
    # The claim of main_loop, with the standard library only.
    with (
        ReactorHarness() as harness,
        selectors.DefaultSelector() as inner,
        selectors.DefaultSelector() as outer,
    ):
        ours, theirs = harness.pair()
        inner.register(ours, selectors.EVENT_READ)
        outer.register(inner, selectors.EVENT_READ)
        assert outer.select(0) == []
        theirs.send(b"x")
        assert [key.fileobj for key, _ in outer.select(0)] == [inner]
        ours.recv(1)
        assert outer.select(0) == []


def test_a_handler_removed_while_held_is_not_called() -> None:
    with SteppingHarness() as stepping:
        stepping.add("a")
        removed: EventHandler = stepping.add("b")
        stepping.control.pause()

        def remove() -> None:
            stepping.inner.remove(removed)
            stepping.control.resume()

        stepping.plan = [remove]
        stepping.control.step_event()
        stepping.outer.turn()
        assert stepping.harness.calls == ["a readable"]

"""A response that is known later: its steps, its result, and what is refused."""

from collections.abc import Callable
from functools import partial

import pytest

from reactor.http11.deferred import Deferred, Steps
from reactor.http11.message import Response

RESPONSE = Response(201)


class Threads:
    """Functions that are called in a worker thread, and in the loop, when the test says so."""

    def __init__(self) -> None:
        self.worker: list[Callable[[], object]] = []
        self.loop: list[Callable[[], object]] = []
        self.notified = 0

    def start(self, deferred: Deferred) -> None:
        deferred.start(self.worker.append, self.loop.append, self.notify)

    def notify(self, deferred: Deferred) -> None:
        self.notified += 1

    def run(self) -> None:
        """Call all functions."""
        while self.worker or self.loop:
            (self.worker or self.loop).pop(0)()


@pytest.fixture
def threads() -> Threads:
    return Threads()


def fail(error: BaseException) -> None:
    raise error


def test_a_function_is_the_only_step(threads: Threads) -> None:
    deferred = Deferred(partial(str, 1))
    threads.start(deferred)
    assert (len(threads.worker), deferred.done) == (1, False)
    threads.run()
    assert deferred.result().content == b"1"
    failing = Deferred(partial(fail, KeyError("planted")))  # type: ignore[arg-type]
    threads.start(failing)
    threads.run()
    with pytest.raises(KeyError, match="planted"):
        failing.result()


def test_a_step_that_is_no_function_is_an_error(threads: Threads) -> None:
    closed = []

    def steps() -> Steps:
        try:
            yield 5  # type: ignore[misc]
        finally:
            closed.append(True)
        return RESPONSE

    deferred = Deferred(steps())
    threads.start(deferred)
    assert closed
    with pytest.raises(TypeError, match=r"a step of a Deferred is int \(expected a function to call\)"):
        deferred.result()


def test_a_deferred_takes_a_generator_or_a_function() -> None:
    with pytest.raises(TypeError, match="takes a generator or a function, not int"):
        Deferred(5)  # type: ignore[arg-type]


def test_steps_run_in_the_worker_and_what_follows_in_the_loop(threads: Threads) -> None:
    order: list[object] = []

    def steps() -> Steps:
        order.append("begin")
        order.append((yield partial(str, 1)))
        order.append((yield partial(str, 2)))
        return RESPONSE

    deferred = Deferred(steps())
    assert order == []
    threads.start(deferred)
    for before in ["begin"], ["begin", "1"]:
        assert (order, len(threads.worker), len(threads.loop)) == (before, 1, 0)
        threads.worker.pop()()
        assert (order, len(threads.worker), len(threads.loop)) == (before, 0, 1)
        threads.loop.pop()()
    assert order == ["begin", "1", "2"]
    assert (deferred.done, threads.notified) == (True, 0)
    threads.run()
    assert (deferred.result(), threads.notified) == (RESPONSE, 1)


def test_an_exception_of_a_step_is_raised_in_the_generator(threads: Threads) -> None:
    def steps() -> Steps:
        try:
            yield partial(fail, OSError("planted"))
        except OSError as error:
            return Response.text(str(error))
        return RESPONSE

    deferred = Deferred(steps())
    threads.start(deferred)
    threads.run()
    assert deferred.result().content == b"planted"


@pytest.mark.parametrize("after", [0, 1])
def test_an_exception_of_the_generator_is_the_result(threads: Threads, after: int) -> None:
    def steps() -> Steps:
        for _ in range(after):
            yield int
        raise ValueError("planted")

    deferred = Deferred(steps())
    threads.start(deferred)
    threads.run()
    with pytest.raises(ValueError, match="planted"):
        deferred.result()


def test_an_exit_in_a_worker_is_raised_in_the_loop(threads: Threads) -> None:
    def steps() -> Steps:
        yield partial(fail, SystemExit(3))
        return RESPONSE

    threads.start(Deferred(steps()))
    threads.worker.pop()()
    with pytest.raises(SystemExit):
        threads.run()


def test_steps_without_a_response_are_an_error(threads: Threads) -> None:
    def steps() -> Steps:
        yield int
        return 1  # type: ignore[return-value]

    deferred = Deferred(steps())
    threads.start(deferred)
    threads.run()
    with pytest.raises(TypeError, match=r"^int \(expected a Response, str, bytes, dict or list\)$"):
        deferred.result()


@pytest.mark.parametrize("before", [True, False])
def test_the_application_resolves_it_before_or_after_it_is_returned(threads: Threads, before: bool) -> None:
    deferred = Deferred()
    if before:
        deferred.resolve(RESPONSE)
    threads.start(deferred)
    if not before:
        assert (deferred.done, threads.notified) == (False, 0)
        deferred.resolve(RESPONSE)
    threads.run()
    assert (deferred.result(), threads.notified) == (RESPONSE, 1)


def test_it_fails_with_an_exception(threads: Threads) -> None:
    deferred = Deferred()
    threads.start(deferred)
    deferred.fail(ValueError("planted"))
    with pytest.raises(ValueError, match="planted"):
        deferred.result()


def test_it_is_resolved_and_returned_once(threads: Threads) -> None:
    deferred = Deferred()
    with pytest.raises(TypeError, match="takes a Response, str, bytes, dict or list, not NoneType"):
        deferred.resolve(None)  # type: ignore[arg-type]
    deferred.resolve(RESPONSE)
    for again in (partial(deferred.resolve, RESPONSE), partial(deferred.fail, ValueError())):
        with pytest.raises(RuntimeError, match="already resolved"):
            again()
    threads.start(deferred)
    with pytest.raises(RuntimeError, match="can be returned only once"):
        threads.start(deferred)
    assert deferred.result() is RESPONSE


def test_aborting_it_ends_its_steps(threads: Threads) -> None:
    ended: list[str] = []

    def steps() -> Steps:
        try:
            yield int
        finally:
            ended.append("end")
        return RESPONSE

    deferred = Deferred(steps())
    threads.start(deferred)
    deferred.abort()
    assert ended == ["end"]
    Deferred().abort()

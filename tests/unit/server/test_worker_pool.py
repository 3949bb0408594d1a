"""The worker pool runs functions in threads, few of which may wait."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from reactor import Router, Server
from reactor.server.worker_pool import MAX_QUEUED, MAX_WAITING, THREADS, WorkerPool
from tests.support.process import TIMEOUT


class Work:
    """Functions that wait until they are released; ``threads`` are those that have called one."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.started = threading.Semaphore(0)
        self.released = threading.Event()

    def wait(self) -> None:
        self.started.release()
        assert self.released.wait(TIMEOUT)
        self.note()

    def note(self) -> None:
        self.threads.append(threading.get_ident())


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def pool(work: Work) -> Iterator[WorkerPool]:
    one = WorkerPool()
    yield one
    work.released.set()
    one.close()


def occupy(pool: WorkerPool, work: Work) -> None:
    """Let every thread of a pool run a function."""
    for _ in range(THREADS):
        pool.run(work.wait)
    for _ in range(THREADS):
        assert work.started.acquire(timeout=TIMEOUT)


def test_functions_run_in_a_few_threads_and_close_waits_for_them(pool: WorkerPool, work: Work) -> None:
    before = threading.active_count()
    occupy(pool, work)
    for _ in range(MAX_WAITING):
        pool.run(work.note)
    assert (work.threads, threading.active_count()) == ([], before + THREADS)
    work.released.set()
    pool.close()
    assert len(work.threads) == THREADS + MAX_WAITING
    assert threading.get_ident() not in work.threads
    assert len(set(work.threads)) <= THREADS
    assert threading.active_count() == before


def test_a_function_is_called_at_once_if_too_many_wait(pool: WorkerPool, work: Work) -> None:
    occupy(pool, work)
    for _ in range(MAX_WAITING + 3):
        pool.run(work.note)
    assert work.threads == [threading.get_ident()] * 3


def test_steps_that_wait_for_a_slow_disk_do_not_count(pool: WorkerPool, work: Work) -> None:
    occupy(pool, work)
    for _ in range(MAX_WAITING + 3):
        pool.submit(work.note)
    pool.run(work.note)
    assert work.threads == []


def test_a_function_is_called_at_once_after_the_pool_is_closed(pool: WorkerPool, work: Work) -> None:
    pool.close()
    pool.run(work.note)
    assert work.threads == [threading.get_ident()]


def test_a_function_is_called_once_if_no_thread_can_be_started(
    pool: WorkerPool, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        pool.run(work.note)
        assert work.threads == [threading.get_ident()]
    done = threading.Event()
    pool.run(done.set)
    assert done.wait(TIMEOUT)
    pool.close()
    assert len(work.threads) == 1


@pytest.mark.parametrize("started", [0, 1])
def test_the_pool_is_full_if_there_is_no_thread(
    started: int,
    pool: WorkerPool,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for _ in range(started):
        pool.submit(work.note)
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert pool.is_full() == (started == 0)
    assert caplog.messages == [
        f"cannot start worker thread {started + 1} of {THREADS}: can't start new thread"
    ]


def test_a_closed_pool_is_full(pool: WorkerPool) -> None:
    assert not pool.is_full()
    pool.close()
    assert pool.is_full()
    assert not pool._threads


def test_an_exception_in_a_thread_is_logged(pool: WorkerPool, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("planted")

    pool.run(fail)
    pool.close()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("unhandled exception in a worker thread: <function ")
    assert record.exc_info is not None


def test_a_function_that_exits_does_not_end_its_thread(
    pool: WorkerPool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(THREADS):
        pool.run(sys.exit)
    pool.submit(work.note)
    pool.close()
    assert threading.get_ident() not in work.threads
    assert len(work.threads) == 1
    assert [type(each.exc_info[1]) for each in caplog.records if each.exc_info] == [SystemExit] * THREADS


def test_a_server_starts_no_thread_before_it_needs_one(work: Work) -> None:
    before = threading.active_count()
    with Server(Router(), port=0) as server:
        assert threading.active_count() == before
        server.in_background(work.note)
    assert threading.active_count() == before
    assert len(work.threads) == 1
    assert threading.get_ident() not in work.threads
    server.in_background(work.note)
    assert work.threads[1] == threading.get_ident()


# Functions that do not end, and full queues.


def test_close_waits_a_limited_time_and_names_what_still_runs(
    pool: WorkerPool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    occupy(pool, work)
    pool.submit(work.note)  # dropped
    pool.run(work.note)  # called at once
    pool.close(timeout=0.01)
    assert work.threads == [threading.get_ident()]
    (record,) = caplog.records
    names = ", ".join([f"{__name__}.Work.wait"] * THREADS)
    assert record.getMessage() == f"worker threads still running after 0.01 s: {names}"
    work.released.set()
    pool.close()  # waits for them
    assert len(work.threads) == 1 + THREADS
    assert len(caplog.records) == 1


def test_threads_that_were_running_end_after_the_pool_is_closed(pool: WorkerPool, work: Work) -> None:
    occupy(pool, work)
    threads = pool._threads
    pool.close(timeout=0.01)
    work.released.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads)
    assert len(work.threads) == THREADS


def test_the_threads_do_not_keep_the_process_from_ending(pool: WorkerPool, work: Work) -> None:
    occupy(pool, work)
    assert all(thread.daemon for thread in pool._threads)


def test_a_pool_has_the_number_of_threads_that_was_asked_for(work: Work) -> None:
    pool = WorkerPool(5)
    for _ in range(7):
        pool.submit(work.wait)
    for _ in range(5):
        assert work.started.acquire(timeout=TIMEOUT)
    assert not work.started.acquire(blocking=False)
    work.released.set()
    pool.close()
    assert len(work.threads) == 7


@pytest.mark.parametrize("threads", [0, -1])
def test_a_pool_has_at_least_one_thread(threads: int) -> None:
    with pytest.raises(ValueError, match=f"invalid threads: {threads} \\(must be at least 1\\)"):
        WorkerPool(threads)


def test_the_queue_is_full_when_the_limit_is_reached(pool: WorkerPool, work: Work) -> None:
    occupy(pool, work)
    for _ in range(MAX_QUEUED):
        assert not pool.is_full()
        pool.submit(work.note)
    assert pool.is_full()
    pool.submit(work.note)  # a later step of a response that has begun
    work.released.set()
    pool.close()
    assert len(work.threads) == THREADS + MAX_QUEUED + 1


def test_a_function_called_at_once_may_call_another_one(pool: WorkerPool, work: Work) -> None:
    pool.close()
    pool.run(lambda: pool.run(work.note))
    assert work.threads == [threading.get_ident()]

"""The connection limit that the open-file limit allows."""

import resource

import pytest

from reactor.handlers.files.open_files import SHARE
from reactor.server.listen import StartError
from reactor.server.open_files import (
    FORMS_SHARE,
    MIN_CONNECTIONS,
    OTHERS,
    PER_CONNECTION,
    connection_limit,
    files_needed,
)
from reactor.server.worker_pool import THREADS

UNLIMITED = resource.RLIM_INFINITY


def limit_files(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int | None = None) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft if hard is None else hard))


@pytest.mark.parametrize(
    ("files", "reserved", "connections"),
    [(63, 0, 4), (256, 0, 88), (256, 40, 88), (1024, 0, 424), (UNLIMITED, 0, 458_728)],
)
def test_each_connection_may_have_a_file(
    monkeypatch: pytest.MonkeyPatch, files: int, reserved: int, connections: int
) -> None:
    limit_files(monkeypatch, files)
    assert connection_limit(0, reserved) == connections
    assert connection_limit(connections, reserved) == connections
    assert connection_limit(3, reserved) == 3
    with pytest.raises(StartError, match=f"connection limit too high: {connections + 1} "):
        connection_limit(connections + 1, reserved)


@pytest.mark.parametrize(
    ("listeners", "threads", "connections"), [(1, 2, 88), (3, 2, 87), (1, 4, 87), (3, 4, 86)]
)
def test_more_listeners_and_threads_need_more_files(
    monkeypatch: pytest.MonkeyPatch, listeners: int, threads: int, connections: int
) -> None:
    limit_files(monkeypatch, 256)
    assert connection_limit(0, threads=threads, listeners=listeners) == connections


@pytest.mark.parametrize("files", range(63, 4096, 13))
def test_the_descriptors_never_exceed_the_limit(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    limit_files(monkeypatch, files)
    connections = connection_limit(0)
    assert connections * PER_CONNECTION + files // SHARE + OTHERS <= files
    assert files_needed(connections) <= files < files_needed(connections + 1)
    assert FORMS_SHARE == SHARE


def test_the_error_says_which_limit_would_be_sufficient(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_files(monkeypatch, 256)
    with pytest.raises(StartError) as caught:
        connection_limit(200)
    assert str(caught.value) == (
        "connection limit too high: 200 (the open-file limit of 256 allows at most 88, with 2 files for each "
        "connection; 200 need ulimit -n 511)"
    )
    limit_files(monkeypatch, 511)
    assert connection_limit(200) == 200


@pytest.mark.parametrize(("reserved", "minimum"), [(0, 63), (40, 109)])
def test_a_limit_for_fewer_than_four_connections_is_too_low(
    monkeypatch: pytest.MonkeyPatch, reserved: int, minimum: int
) -> None:
    limit_files(monkeypatch, minimum - 1)
    message = rf"open-file limit too low: {minimum - 1} \(minimum: {minimum}; see ulimit -n\)"
    with pytest.raises(StartError, match=message):
        connection_limit(1, reserved)
    limit_files(monkeypatch, minimum)
    assert connection_limit(0, reserved) >= MIN_CONNECTIONS


def test_the_soft_limit_is_raised_to_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    limit_files(monkeypatch, 16, 1024)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert connection_limit(0) == 424
    assert limits == [(1024, 1024)]


def test_a_failure_to_raise_the_soft_limit_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, pair: tuple[int, int]) -> None:
        raise ValueError(pair)

    limit_files(monkeypatch, 256, UNLIMITED)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connection_limit(88) == 88


@pytest.mark.parametrize("threads", [THREADS + 1, 40])
def test_each_further_thread_may_have_a_file(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    limit_files(monkeypatch, 256)
    connections = connection_limit(0, threads=threads)
    assert connections == (256 - 256 // FORMS_SHARE - OTHERS - threads + THREADS) // PER_CONNECTION
    assert connection_limit(connections, threads=threads) == connections
    with pytest.raises(StartError, match="connection limit too high"):
        connection_limit(connections + 1, threads=threads)
    assert connection_limit(0, threads=1) == 88

"""The programs of the course, in process and with a reduced workload."""

import re

import pytest

from reactor.lessons import busy_write, thousand_handles, thread_pool


def test_a_loop_with_a_forgotten_interest_in_write_spins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(busy_write, "SECONDS", 0.02)
    busy_write.main()
    dropped, forgotten = (
        int(number.replace(",", "")) for number in re.findall(r"([\d,]+) turns", capsys.readouterr().out)
    )
    assert dropped < 10 < forgotten


def test_select_and_epoll_are_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thousand_handles, "PAIRS", 20)
    monkeypatch.setattr(thousand_handles, "CALLS", 2)
    thousand_handles.main()
    assert re.findall(r"^(\w+):.* with 40$", capsys.readouterr().out, re.MULTILINE) == ["select", "epoll"]


def test_a_thread_computes_while_the_loop_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thread_pool, "BLOCK_SECONDS", 0.03)
    thread_pool.main()
    assert re.fullmatch(
        r"result 42; the loop ticked [1-9]\d* times while the thread was blocked\n", capsys.readouterr().out
    )

"""The single process: what it releases if it ends before the server has its sockets."""

from pathlib import Path

import pytest

from reactor.cli.processes import SingleProcess
from reactor.logs.stderr import StderrHandler
from tests.unit.cli.test_listen_options import parse


def test_a_unix_socket_is_removed_though_no_server_has_closed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = SingleProcess(StderrHandler(), lambda: None)
    listeners = process.server_options(parse("--unix", "s"))["listeners"]
    assert Path("s").exists()
    process.close()
    process.close()
    assert not Path("s").exists()
    assert [each.fileno() for each in listeners] == [-1]

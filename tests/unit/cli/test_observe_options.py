"""--trace and --explain of the command: their output, and a trace file that cannot be written."""

import os
import re
from pathlib import Path

import pytest

from reactor.observe.events import EventKind
from reactor.observe.trace import Trace
from tests.support.command import CommandServer, run_main
from tests.support.trace_checker import answers, events_of, faults


def test_a_trace_is_written_while_the_server_serves(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with CommandServer("--trace", str(path), "--explain", "--no-access-log") as server:
        assert server.get("/echo/hi").status == 200
        server.terminate()
        assert server.exit_code() == 0
        assert [line for line in server.stderr.rest() if "GET /echo/hi (200)" in line]
    text = path.read_text()
    assert faults(text) == []
    assert len(answers(events_of(text))) == 1


@pytest.mark.parametrize("name", ["missing/trace.json", "."])
def test_a_trace_that_cannot_be_written_is_exit_code_3(tmp_path: Path, name: str) -> None:
    done = run_main("--port", "0", "--trace", os.path.join(tmp_path, name))
    assert done.returncode == 3
    assert done.stderr.startswith("reactor: cannot write the trace file ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--auth", "user:password")])
def test_the_start_line_says_that_the_inspector_needs_no_password(options: tuple[str, ...]) -> None:
    with CommandServer("--inspect", "0", *options) as server:
        inspector = r"; inspector on http://127\.0\.0\.1:[0-9]+/, which --auth does not cover\)"
        assert re.search(inspector, server.start_line)
        assert server.start_line.startswith(f"reactor: serving on {server.url}/ (")


def test_a_trace_file_whose_name_controls_the_terminal_is_escaped_in_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a\x1b[31m\nreactor: b"
    trace = Trace(str(path), 1)
    trace([(EventKind.TURN_ENDED, 1.0, 1, 0.5)])
    trace.close()
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert repr(str(path)) in record.getMessage()

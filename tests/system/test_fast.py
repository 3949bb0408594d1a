"""The extra "fast": gzip by isal if it is installed; otherwise the server behaves the same."""

import gzip
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.support.process import ROOT, ServerProcess, environment

WITHOUT = (
    "import sys; sys.modules['isal'] = None; from reactor.http11 import coding; print(coding.ENGINE_NAME)"
)


@pytest.mark.skipif(find_spec("isal") is None, reason="isal is not installed (the extra fast)")
def test_the_start_line_names_what_is_installed() -> None:
    with ServerProcess() as server:
        assert server.start_line.endswith("; gzip by isal)")
        answer = server.get("/echo/abc", "Accept-Encoding: gzip")
        assert gzip.decompress(answer.content) == b"abc"


@pytest.mark.skipif(find_spec("isal") is not None, reason="isal is installed (the extra fast)")
def test_the_start_line_does_not_name_what_is_not_installed() -> None:
    with ServerProcess() as server:
        assert "gzip" not in server.start_line


def test_without_it_the_standard_library_compresses() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=ROOT, env=environment(), capture_output=True, check=True
    )
    assert done.stdout == b"zlib\n"

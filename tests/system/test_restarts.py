"""Restarts under load, behind real proxies and with an inherited socket: no request fails."""

import sys

import pytest

from tests.restarts.rolling import Setup, experiment, missing

pytestmark = pytest.mark.system
PACE = 0.3  # of all times: seconds instead of minutes


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_no_request_fails_while_each_server_is_restarted_twice(proxy: str) -> None:
    setup = Setup("reactor", proxy)
    if program := missing(setup):
        pytest.skip(f"{program} is not installed")
    result = experiment(setup, 2, sys.executable, PACE)
    assert min(result.requests.values()) > 0
    assert (result.failures, len(result.stops)) == ({}, 4)

"""Restarts under load, behind real proxies and with an inherited socket: no request fails."""

import sys

import pytest

from tests.restarts.rolling import Setup, experiment, missing

pytestmark = pytest.mark.system
PROXIES = ["haproxy", "nginx", ""]
PACE = 0.2  # of all times: seconds instead of minutes


def assert_no_request_fails(proxy: str, restarts: int, pace: float) -> None:
    setup = Setup("reactor", proxy)
    if program := missing(setup):
        pytest.skip(f"{program} is not installed")
    result = experiment(setup, restarts, sys.executable, pace)
    assert min(result.requests.values()) > 0
    assert (result.failures, len(result.stops)) == ({}, restarts * (2 if proxy else 1))


@pytest.mark.parametrize("proxy", PROXIES)
def test_no_request_fails_while_each_server_is_restarted_twice(proxy: str) -> None:
    assert_no_request_fails(proxy, 2, PACE)


@pytest.mark.slow
@pytest.mark.parametrize("proxy", PROXIES)
def test_no_request_fails_while_each_server_is_restarted_20_times(proxy: str) -> None:
    assert_no_request_fails(proxy, 20, 1.0)

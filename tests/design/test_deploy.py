"""The ready-made configurations: options that they use exist, and times fit together."""

import re
import shlex

import pytest

from reactor.cli.option_types import FileOnly
from reactor.cli.options import check_combinations, make_parser, parse_options
from reactor.settings import Settings
from tests.design.sources import ROOT

DEPLOY = ROOT / "reactor" / "server" / "deploy"
FILES = {path.name: path.read_text() for path in DEPLOY.iterdir() if path.is_file()}


def number(name: str, pattern: str) -> float:
    """Return the number that a pattern finds in a file."""
    found = re.search(pattern, FILES[name])
    assert found, f"{pattern} is not in {name}"
    return float(found[1])


def test_every_file_is_known() -> None:
    assert set(FILES) == {
        *("reactor.service", "reactor.socket", "haproxy.cfg", "nginx.conf", "Dockerfile", "kubernetes.yaml")
    }


# Words that look like options, and are those of other programs.
FOREIGN = {
    "reactor.service": {"--now"},
    "Dockerfile": {"--interval", "--timeout", "--start-period"},
}


@pytest.mark.parametrize("name", FILES)
def test_every_option_exists(name: str) -> None:
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", FILES[name])) - FOREIGN.get(name, set())
    actions = [action for action in make_parser()._actions if not isinstance(action, FileOnly)]
    assert mentioned <= {option for action in actions for option in action.option_strings}


COMMANDS = sorted(
    command
    for text in (*FILES.values(), (DEPLOY.parent / "README.md").read_text())
    for command in re.findall(
        r"(?:python3 -m reactor|ExecStart=\S+/reactor) (.+)", re.sub(r"\\\n#? +", "", text)
    )
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_valid(command: str) -> None:
    parser = make_parser()
    check_combinations(parser, parse_options(parser, shlex.split(command), {}))


def test_every_command_is_found() -> None:
    assert len(COMMANDS) == 7


def test_haproxy_stops_using_a_server_before_it_stops_accepting() -> None:
    interval = number("haproxy.cfg", r"inter (\d+)ms") / 1000
    fall, rise = number("haproxy.cfg", r"fall (\d+)"), number("haproxy.cfg", r"rise (\d+)")
    assert fall * interval < number("haproxy.cfg", r"#   .*--shutdown-delay (\d+)")
    # One server is in use again before HAProxy stops using the other one.
    assert rise * interval < (fall - 1) * interval


@pytest.mark.parametrize("name", ["haproxy.cfg", "nginx.conf"])
def test_the_proxy_ends_idle_connections_before_the_server_does(name: str) -> None:
    # The default of nginx is 60 s; connections of HAProxy to servers end with those of clients, or earlier.
    idle = number(name, r"timeout http-keep-alive (\d+)s") if name == "haproxy.cfg" else 60
    assert idle < Settings().keep_alive_timeout


def test_a_server_has_time_to_stop() -> None:
    delay = number("reactor.service", r"ExecStart=.*--shutdown-delay (\d+)")
    assert delay + Settings().shutdown_timeout < number("reactor.service", r"\nTimeoutStopSec=(\d+)")
    delay, timeout = (
        number("kubernetes.yaml", rf"- --shutdown-{name}=(\d+)") for name in ("delay", "timeout")
    )
    assert delay + timeout < number("kubernetes.yaml", r"terminationGracePeriodSeconds: (\d+)")


def test_the_container_does_not_run_as_root() -> None:
    assert number("Dockerfile", r"\nUSER (\d+)") > 0
    assert number("Dockerfile", r"\nUSER (\d+)") == number("kubernetes.yaml", r"runAsUser: (\d+)")


def test_each_field_of_a_proxy_is_set_or_removed() -> None:
    for field in (
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Prefix",
        "Forwarded",
    ):
        assert re.search(rf"\n +http-request (set|del)-header {field}\b", FILES["haproxy.cfg"]), field
        assert re.search(rf"\n +proxy_set_header {field} ", FILES["nginx.conf"]), field

"""--trusted-proxy, --proxy-protocol and --prefix: from all sources, in a running server, and invalid."""

from pathlib import Path

import pytest

from tests.support.command import CommandServer, run_main

CLIENT = "203.0.113.7"
FIELD = f"X-Forwarded-For: {CLIENT}"


def peer_logged(server: CommandServer) -> str:
    assert server.get("/echo/hi", FIELD).content == b"hi"
    line = server.stdout.next()
    assert line is not None
    return line.split()[0]


def test_the_proxies_may_come_from_each_source(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text('trusted-proxy = ["192.0.2.1", "127.0.0.0/8"]')
    with CommandServer("--trusted-proxy", "192.0.2.1", "--trusted-proxy", "127.0.0.1") as server:
        assert peer_logged(server) == CLIENT
    with CommandServer(extra={"REACTOR_TRUSTED_PROXY": "192.0.2.1\n127.0.0.1"}) as server:
        assert peer_logged(server) == CLIENT
    with CommandServer("--config", str(config)) as server:
        assert peer_logged(server) == CLIENT
    with CommandServer("--trusted-proxy", "192.0.2.1", "--config", str(config)) as server:
        assert peer_logged(server) == "127.0.0.1"


def test_a_proxy_header_is_required_of_a_trusted_proxy() -> None:
    with CommandServer("--trusted-proxy", "127.0.0.1", "--proxy-protocol") as server:
        client = server.connect()
        client.send(f"PROXY TCP4 {CLIENT} 127.0.0.1 1 2\r\n".encode())
        assert client.get("/echo/hi").content == b"hi"
        line = server.stdout.next()
        assert line is not None
        assert line.startswith(f"{CLIENT} - - ")


def test_the_start_line_has_the_prefix() -> None:
    with CommandServer("--prefix", "/share/") as server:
        assert f" on {server.url}/share/ (" in server.start_line
        assert server.get("/share/echo/hi").content == b"hi"
        assert server.get("/echo/hi").status == 404


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--proxy-protocol"], "--proxy-protocol has no effect without --trusted-proxy"),
        (["--trusted-proxy", "10.1.2.3/8"], "invalid proxy: '10.1.2.3/8' (the address has bits behind"),
        (["--trusted-proxy", "nginx"], "invalid proxy: 'nginx' (examples: 127.0.0.1, 10.0.0.0/8"),
        (["--trusted-proxy", ""], "invalid proxy: ''"),
        (["--prefix", "share"], "invalid prefix: 'share' (examples: /share"),
        (["--prefix", "//evil.example"], "invalid prefix: '//evil.example'"),
        (["--proxy-header-timeout", "1"], "set proxy-header-timeout in --config FILE"),
    ],
)
def test_an_invalid_option_is_one_line(arguments: list[str], message: str) -> None:
    done = run_main(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_proxy_protocol_of_the_environment_needs_a_trusted_proxy_too() -> None:
    done = run_main(REACTOR_PROXY_PROTOCOL="1")
    assert done.returncode == 2
    assert "REACTOR_PROXY_PROTOCOL has no effect without --trusted-proxy" in done.stderr

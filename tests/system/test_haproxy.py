"""A real HAProxy in front of the server: PROXY headers, forwarded fields and prefixes, requested by curl."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.support.process import TIMEOUT, ServerProcess
from tests.system.test_curl import CURL, curl

HAPROXY = shutil.which("haproxy")

pytestmark = pytest.mark.skipif(HAPROXY is None or CURL is None, reason="haproxy or curl is not installed")

PROXY = "127.0.0.1"
CLIENT, OTHER = "127.0.0.2", "127.0.0.3"  # source addresses of curl
SPOOFED = "203.0.113.66"
CONFIGURATION = """
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
"""
# The server that each frontend uses, and what is between both.
FRONTENDS = {
    "v1": ("with_header", "server s {address} send-proxy"),
    "v2": ("with_header", "server s {address} send-proxy-v2 check inter 20ms"),
    "fields": (
        "with_fields",
        "option forwardfor",
        "http-request set-header X-Forwarded-Proto https",
        "http-request set-header X-Forwarded-Host files.example",
        "server s {address}",
    ),
    "removed": (
        "with_fields",
        "option forwardfor",
        "http-request replace-path ^/gone(/.*) \\1",
        "http-request set-header X-Forwarded-Prefix /gone",
        "server s {address}",
    ),
    "kept": ("with_prefix", "option forwardfor", "server s {address}"),
}


class Site:
    """The servers, and the URL of each frontend of HAProxy."""

    def __init__(self, servers: dict[str, ServerProcess], urls: dict[str, str]) -> None:
        self.servers = servers
        self.urls = urls

    def logged(self, frontend: str) -> dict[str, object]:
        """Return the next entry in the access log of the server behind a frontend."""
        line = self.servers[FRONTENDS[frontend][0]].stdout.next()
        assert line is not None
        entry: dict[str, object] = json.loads(line)
        return entry


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "shared" / "below").mkdir(parents=True)
    (tmp_path / "shared" / "below" / "a.txt").write_bytes(b"content")
    options = ["--log-format", "json", "--directory", str(tmp_path / "shared"), "--trusted-proxy", PROXY]
    options += ["--slow-turn", "60"]  # no warning on a busy machine
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(ServerProcess(*options, *more))
            for name, more in (
                ("with_header", ["--proxy-protocol"]),
                ("with_fields", ["--resumable", "--allowed-host", "files.example"]),
                ("with_prefix", ["--resumable", "--prefix", "/kept"]),
            )
        }
        sockets = {
            name: stack.enter_context(socket.create_server((PROXY, 0), backlog=100)) for name in FRONTENDS
        }
        text = CONFIGURATION
        for name, (server, *lines) in FRONTENDS.items():
            address = f"{PROXY}:{servers[server].port}"
            body = "\n    ".join(line.format(address=address) for line in lines)
            text += f"listen {name}\n    bind fd@{sockets[name].fileno()}\n    {body}\n"
        (tmp_path / "haproxy.cfg").write_text(text)
        assert HAPROXY is not None
        process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(tmp_path / "haproxy.cfg")],
            pass_fds=[each.fileno() for each in sockets.values()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Site(
                servers, {name: f"http://{PROXY}:{each.getsockname()[1]}" for name, each in sockets.items()}
            )
        finally:
            process.kill()
            process.wait(TIMEOUT)


@pytest.mark.parametrize("frontend", ["v1", "v2"])
def test_the_client_is_named_by_a_proxy_header(site: Site, frontend: str) -> None:
    url = site.urls[frontend] + "/echo/hi"
    for address in (CLIENT, OTHER):
        spoofed = ("--header", f"X-Forwarded-For: {SPOOFED}", "--header", f"Forwarded: for={SPOOFED}")
        assert curl("--interface", address, *spoofed, url).content == b"hi"
        assert site.logged(frontend)["peer"] == address
    server = site.servers["with_header"]
    # A client that is not the proxy, and speaks HTTP, or claims to be the proxy.
    assert curl("--interface", OTHER, server.url + "/echo/hi").content == b"hi"
    assert site.logged(frontend)["peer"] == OTHER
    assert curl("--interface", OTHER, "--haproxy-protocol", server.url + "/echo/hi").status == 400
    assert site.logged(frontend)["peer"] == OTHER
    assert curl("--haproxy-protocol", server.url + "/echo/hi").content == b"hi"  # from 127.0.0.1
    assert site.logged(frontend)["peer"] == PROXY
    server.terminate()
    rest = server.stderr.rest()
    assert [line for line in rest if "stopp" not in line.lower() and "400" not in line] == [], rest
    assert server.stdout.rest() == []


def test_the_fields_of_the_proxy_count_and_those_of_others_do_not(site: Site) -> None:
    spoofed = ("--header", f"X-Forwarded-For: {SPOOFED}", "--header", "X-Forwarded-Prefix: /spoofed")
    for url, client in ((site.urls["fields"], CLIENT), (site.servers["with_fields"].url, OTHER)):
        assert curl("--interface", client, *spoofed, url + "/echo/hi").content == b"hi"
        assert site.logged("fields")["peer"] == client
    # The proxy sets X-Forwarded-For, and passes this on.
    answer = curl("--header", f"Forwarded: for={SPOOFED}", site.urls["fields"] + "/echo/hi")
    assert answer.status == 400
    assert b"name different clients" in answer.content


@pytest.mark.parametrize(("frontend", "prefix"), [("removed", "/gone"), ("kept", "/kept")])
def test_a_share_works_below_a_prefix(site: Site, frontend: str, prefix: str) -> None:
    start = f"{site.urls[frontend]}{prefix}/"
    page = curl("--raw", "--header", "Accept: text/html", start)
    assert b'href="files/below/"' in page.content
    assert curl(f"{start}files/below/a.txt").content == b"content"
    assert curl(f"{start}files/below").headers["location"] == "./below/"
    answer = curl("--upload-file", __file__, f"{start}files/new")
    assert urljoin(start, answer.headers["location"]) == f"{start}files/new"
    resumable = ("--header", "Upload-Complete: ?0")
    answer = curl(*resumable, "--upload-file", __file__, f"{start}files/part")
    resource = urljoin(start, answer.headers["location"])
    assert resource.startswith(f"{start}uploads/")
    assert curl("--head", resource, method="HEAD").status == 204
    assert curl(f"{start}nothing").status == 404


def test_the_start_line_has_the_prefix(site: Site) -> None:
    server = site.servers["with_prefix"]
    assert f" on {server.url}/kept/ (" in server.start_line
    assert curl(f"{server.url}/files/").status == 404

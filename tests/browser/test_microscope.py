"""The page of the microscope with a real server."""

import json
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import Browser
from tests.support.process import head
from tests.unit.inspector.microscope import MicroscopeProcess

GET = head("GET", "/echo/hi")


@pytest.fixture
def server() -> Iterator[MicroscopeProcess]:
    with MicroscopeProcess() as microscope:
        yield microscope


@pytest.fixture
def page(browser: Browser, server: MicroscopeProcess) -> Browser:
    """Open the page, and wait for its first frame."""
    browser.open(f"http://127.0.0.1:{server.inspector}/")
    browser.wait(lambda: mode(browser) == "running")
    return browser


def mode(page: Browser) -> str:
    return str(page.one("#mode").text).strip()


def press(page: Browser, selector: str) -> None:
    page.driver.execute_script("arguments[0].click()", page.one(selector))


def received(page: Browser) -> int:
    return int(page.driver.execute_script("return document.body.dataset.received || 0"))


def test_pause_stops_the_server_but_not_the_page(page: Browser, server: MicroscopeProcess) -> None:
    client = server.connect()
    assert client.get("/").status == 200
    press(page, "#pause")
    page.wait(lambda: mode(page) == "paused")
    client.send(GET)
    before = received(page)
    page.wait(lambda: received(page) >= before + 2)
    assert client.hangs()
    press(page, "#event")
    assert client.answer().content == b"hi"
    assert mode(page) == "paused"
    press(page, "#resume")
    page.wait(lambda: mode(page) == "running")
    assert client.get("/").status == 200


def test_a_breakpoint_stops_at_responding(page: Browser, server: MicroscopeProcess) -> None:
    press(page, '#breakpoints input[data-state="RESPONDING"]')
    page.wait(lambda: json.loads(server.ask("/connections")[1]) is not None)
    client = server.connect()
    page.wait(lambda: page.all('.chip[data-number="1"]'))
    client.send(GET)
    page.wait(lambda: mode(page) == "paused")
    page.wait(lambda: "RESPONDING" in page.one("#at").text)
    page.wait(lambda: page.one('.chip[data-number="1"]').get_attribute("data-state") == "RESPONDING")
    assert client.hangs()
    press(page, "#resume")
    assert client.answer().status == 200


def test_a_demo_connection_passes_through_three_lanes(page: Browser, server: MicroscopeProcess) -> None:
    page.driver.execute_script(
        """
        window.seen = new Set();
        const look = () => {
            for (const chip of document.querySelectorAll('.chip[data-number="-1"]')) {
                seen.add(chip.dataset.state);
            }
            requestAnimationFrame(look);
        };
        look();
        """
    )
    press(page, '#demos button[data-demo="keep-alive"]')
    page.wait(lambda: len(page.driver.execute_script("return [...seen]")) >= 3)
    seen = set(page.driver.execute_script("return [...seen]"))
    assert seen >= {"RESPONDING", "IDLE"}


def test_a_click_shows_a_connection_without_secrets(page: Browser, server: MicroscopeProcess) -> None:
    client = server.connect()
    page.wait(lambda: page.all('.chip[data-number="1"]'))
    client.get("/user-agent", "Authorization: Basic c2VjcmV0")
    press(page, '.chip[data-number="1"]')
    page.wait(lambda: "/user-agent" in page.one("#connection").text)
    text = page.one("#connection").text
    assert "Authorization: [hidden]" in text
    assert "c2VjcmV0" not in page.driver.page_source


def test_explain_names_the_file_and_the_line(page: Browser, server: MicroscopeProcess) -> None:
    press(page, "[data-step=select] button")
    page.wait(lambda: "reactor/loop.py" in page.driver.find_element("css selector", "body").text)


def test_with_2000_connections_the_page_draws_and_its_memory_is_flat(
    page: Browser, server: MicroscopeProcess
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        clients = [server.connect() for _ in range(2000)]
        page.wait(lambda: "2,000" in page.driver.find_element("css selector", "body").text)

        def heap() -> int:
            page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
            figures: Any = page.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
            return int(figures["usedSize"])

        def live(rounds: int) -> None:
            for number in range(rounds):
                for client in clients[number::100]:
                    client.get("/")

        live(20)
        before, frames = heap(), received(page)
        live(100)
        page.wait(lambda: received(page) > frames + 20)
        assert heap() - before < 2 << 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_console_has_no_errors(page: Browser, server: MicroscopeProcess) -> None:
    press(page, '#demos button[data-demo="hundred"]')
    page.wait(lambda: len(page.all(".chip")) > 50)
    assert page.complaints() == []

"""The page of the microscope in a real browser, with a mock server."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from reactor.http11.message import Response
from tests.browser.driving import Browser
from tests.browser.microscope import (
    ACCEPTED,
    CLOSED,
    HOSTILE,
    IDLE,
    NAMES,
    RESPONDING,
    YIELDING,
    Mock,
    chip,
    dense_frame,
    frame,
)

ESCAPE, ENTER = "\ue00c", "\ue007"
# Records the sequence of states of each chip.
WATCH = """
window.seen = {};
new MutationObserver(() => {
  for (const { dataset } of document.querySelectorAll(".chip")) {
    const states = window.seen[dataset.number] ??= [];
    if (states.at(-1) !== dataset.state) states.push(dataset.state);
  }
}).observe(document.getElementById("chips"), { subtree: true, childList: true, attributes: true });
"""
HELD = {
    "step": "enter",
    "turn": 42,
    "words": f"about to call {HOSTILE}",
    "connection": 5,
    "reason": "after one event",
}
KNOWN: dict[str, Any] = {
    "number": 5,
    "fd": 9,
    "peer": HOSTILE,
    "state": RESPONDING,
    "served": 3,
    "route": HOSTILE,
    "interest": 2,
    "deadline": ["stall", 59.0],
    "parser": {"phase": "NOTHING", "buffered": 12},
    "write_buffer": {"bytes": 4096, "body": "a slice of a file"},
    "age": 12.3,
    "closed": False,
    "close_reason": "",
    "missing": "",
    "history": [[12.3, None, ACCEPTED], [12.2, ACCEPTED, IDLE], [0.5, IDLE, RESPONDING]],
    "traffic": [[0.5, "in", 18, f"GET /{HOSTILE}\\r\\n"], [0.4, "out", 4096, "HTTP/1.1 200 OK"]],
}


@pytest.fixture
def mock() -> Iterator[Mock]:
    with Mock() as server:
        yield server


@pytest.fixture
def page(browser: Browser, mock: Mock) -> Browser:
    browser.open(mock.server.url)
    browser.wait(lambda: len(browser.all(".lane")) == len(NAMES))
    browser.driver.execute_script(WATCH)
    return browser


def show(page: Browser, mock: Mock, *frames: dict[str, Any]) -> None:
    """Send frames one after the other, each after the previous one was drawn."""
    for each in frames:
        show_one(page, mock, each)


def show_one(page: Browser, mock: Mock, frame: dict[str, Any]) -> None:
    before = number(page, "drawn")
    mock.send(frame)
    page.wait(lambda: number(page, "drawn") > before)


def number(page: Browser, key: str) -> int:
    return int(page.driver.execute_script(f"return document.body.dataset.{key}") or 0)


def focus(page: Browser, selector: str) -> None:
    """Focus the first element of a selector without a click."""
    page.driver.execute_script("document.querySelector(arguments[0]).focus()", selector)


def seen(page: Browser, which: int) -> list[str]:
    return list(page.driver.execute_script(f"return window.seen[{which}] ?? []"))


def test_a_chip_passes_through_each_lane_of_its_moves(page: Browser, mock: Mock) -> None:
    there_and_back = [[ACCEPTED, RESPONDING, 1], [RESPONDING, IDLE, 1]]
    show(page, mock, frame([chip(5, ACCEPTED)]), frame([chip(5, IDLE, 1)], moves=there_and_back))
    page.wait(lambda: seen(page, 5) == ["ACCEPTED", "RESPONDING", "IDLE"])
    again = [[IDLE, RESPONDING, 1], [RESPONDING, IDLE, 1]]
    show(page, mock, frame([chip(5, IDLE, 2)], moves=again))
    page.wait(lambda: seen(page, 5)[3:] == ["RESPONDING", "IDLE"])
    assert page.complaints() == []


def test_a_chip_is_placed_in_its_lane_by_transform(page: Browser, mock: Mock) -> None:
    show(page, mock, frame([chip(5, IDLE, 1)]))
    lane, one = page.one(".lane[data-state=IDLE]").rect, page.one('.chip[data-number="5"]')
    page.wait(
        lambda: (
            lane["y"] <= one.rect["y"] and one.rect["y"] + one.rect["height"] <= lane["y"] + lane["height"]
        )
    )
    style = page.driver.execute_script("return getComputedStyle(arguments[0])['transition-property']", one)
    assert "transform" in style
    assert not {"top", "left", "width", "all"} & set(style.split(", "))


def test_the_chip_of_a_closed_connection_passes_through_closed(page: Browser, mock: Mock) -> None:
    show(page, mock, frame([chip(5, IDLE, 1), chip(6, IDLE, 1)]), frame([chip(6, IDLE, 1)]))
    page.wait(lambda: not page.all('.chip[data-number="5"]'))
    assert seen(page, 5) == ["IDLE", "CLOSED"]
    assert page.one('.chip[data-number="6"]').get_attribute("data-state") == "IDLE"


def test_the_position_of_a_held_loop_is_shown(page: Browser, mock: Mock) -> None:
    chips = [chip(5, IDLE, 1), chip(6, IDLE, 1)]
    show(page, mock, frame(chips, mode="paused", at=HELD))
    assert page.one("#mode").text == "paused"
    assert HELD["words"] in page.one("#at").text
    assert [each.get_attribute("data-number") for each in page.all(".chip.ringed")] == ["5"]
    assert [each.get_attribute("data-step") for each in page.all(".lit")] == ["dispatch", "enter"]
    show(page, mock, frame(chips))
    assert not page.all(".ringed, .lit")
    assert page.one("#mode").text == "running"


def test_a_yielded_connection_is_shown_with_its_step(page: Browser, mock: Mock) -> None:
    words = "about to call on_soon of c5 (fd 9)"
    show(
        page, mock, frame([chip(5, YIELDING, 64)], mode="paused", at=HELD | {"step": "soon", "words": words})
    )
    assert [each.get_attribute("data-step") for each in page.all(".lit")] == ["soon"]
    assert page.one("[data-step=soon] .now").text == "1 connection in the next turn"
    assert page.one(".lane[data-state=YIELDING] .label p").text == "waits for the next turn"
    assert page.one(".lane[data-state=CLOSED] .label p").text == "the handle is closed"
    show(page, mock, frame())
    assert page.one("[data-step=soon] .now").text == "no connection yielded"


@pytest.mark.parametrize("width", [390, 1200])
def test_every_state_fits_the_screen(browser: Browser, mock: Mock, width: int) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.open(mock.server.url)
        browser.wait(lambda: len(browser.all(".lane")) == len(NAMES))
        show(browser, mock, frame([chip(state, state) for state in range(len(NAMES) - 1)]))
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
        lanes = [each.rect for each in browser.all(".lane")]
        assert all(above["y"] + above["height"] <= below["y"] for above, below in pairwise(lanes))
        chips = [each.rect for each in browser.all(".chip")]
        rects = zip(lanes[:-1], chips, strict=True)
        assert all(lane["y"] < each["y"] < lane["y"] + lane["height"] for lane, each in rects)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_arcs_are_erased_where_the_page_is_zoomed_out(browser: Browser, mock: Mock) -> None:
    metrics = {"width": 1200, "height": 844, "deviceScaleFactor": 0.5, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.open(mock.server.url)
        browser.wait(lambda: len(browser.all(".lane")) == len(NAMES))
        opaque = """
            const flow = document.getElementById("flow");
            const { data } = flow.getContext("2d").getImageData(0, 0, flow.width, flow.height);
            return data.filter((value, index) => index % 4 === 3 && value > 150).length;
        """
        before = browser.wait(lambda: browser.driver.execute_script(opaque))  # a dot in each lane
        show(browser, mock, frame(moves=[[ACCEPTED, RESPONDING, 1], [IDLE, CLOSED, 1]]))
        browser.wait(lambda: browser.driver.execute_script(opaque) == before)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_each_control_posts_its_command(page: Browser, mock: Mock) -> None:
    def click(selector: str) -> None:
        before = len(mock.posted)
        page.one(selector).click()
        page.wait(lambda: len(mock.posted) > before)

    show(page, mock, frame())
    for selector in ("#pause", "#event", "#turn-step", "#slow", "#resume"):
        click(selector)
    asked = [content for path, content in mock.posted if path == "/control"]
    assert [each["do"] for each in asked] == ["pause", "event", "turn", "slow", "resume"]
    assert asked[3]["delay"] == 0.5


def test_the_keys_do_what_the_buttons_do(page: Browser, mock: Mock) -> None:
    show(page, mock, frame())
    page.press(" ", "n", "t", "s")
    page.wait(lambda: len(mock.posted) == 4)
    show(page, mock, frame(mode="paused"))
    page.press(" ")
    page.wait(lambda: len(mock.posted) == 5)
    assert sorted(content["do"] for _, content in mock.posted[:4]) == ["event", "pause", "slow", "turn"]
    assert mock.posted[4] == ("/control", {"do": "resume"})
    page.press("?")
    assert page.one("#keys").is_displayed()
    page.press(ESCAPE)
    assert not page.one("#keys").is_displayed()


@pytest.mark.parametrize("selector", ["#event", "#slow", "#pause", "#keys-button", "#demos button", ".ask"])
def test_a_shortcut_does_not_press_the_focused_button(page: Browser, mock: Mock, selector: str) -> None:
    show(page, mock, frame())
    focus(page, selector)
    page.press(" ", "t")
    page.wait(lambda: len(mock.posted) >= 2)
    page.press("n")  # sent after any request of a pressed button
    page.wait(lambda: ("/control", {"do": "event"}) in mock.posted[2:])
    assert sorted(content["do"] for _, content in mock.posted) == ["event", "pause", "turn"]
    assert not page.one("#keys").is_displayed()
    assert not page.one("#explanation").is_displayed()


def test_holding_space_down_sends_one_command(page: Browser, mock: Mock) -> None:
    show(page, mock, frame())
    focus(page, "#slow")
    event = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "}
    for repeats in (False, True, True):
        page.driver.execute_cdp_cmd(
            "Input.dispatchKeyEvent", {"type": "keyDown", "autoRepeat": repeats, **event}
        )
    page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **event})
    page.press("n")
    page.wait(lambda: ("/control", {"do": "event"}) in mock.posted)
    assert sorted(content["do"] for _, content in mock.posted) == ["event", "pause"]


def test_enter_does_not_repeat_a_clicked_button(page: Browser, mock: Mock) -> None:
    show(page, mock, frame())
    page.one("#event").click()
    page.wait(lambda: mock.posted)
    page.press(ENTER, "t")
    page.wait(lambda: ("/control", {"do": "turn"}) in mock.posted)
    assert [content["do"] for _, content in mock.posted] == ["event", "turn"]


def test_enter_presses_the_focused_button(page: Browser, mock: Mock) -> None:
    show(page, mock, frame())
    focus(page, "#turn-step")
    page.press(ENTER)
    page.wait(lambda: mock.posted)
    assert mock.posted == [("/control", {"do": "turn"})]
    assert page.focused() == page.one("#turn-step")


@pytest.mark.parametrize("modifier", [1, 2, 4], ids=["Alt", "Control", "Meta"])
def test_keys_with_a_modifier_are_not_shortcuts(page: Browser, mock: Mock, modifier: int) -> None:
    show(page, mock, frame())
    for key in ("n", "s", "?", " "):
        for kind in ("rawKeyDown", "keyUp"):
            page.driver.execute_cdp_cmd(
                "Input.dispatchKeyEvent", {"type": kind, "key": key, "modifiers": modifier}
            )
    page.press("t")
    page.wait(lambda: mock.posted)
    assert mock.posted == [("/control", {"do": "turn"})]
    assert not page.one("#keys").is_displayed()


@pytest.mark.parametrize("selector", ["#delay", "#breakpoints input[data-state=IDLE]"])
def test_keys_in_an_input_are_not_shortcuts(page: Browser, mock: Mock, selector: str) -> None:
    show(page, mock, frame())
    focus(page, selector)
    page.press("n", "s", "?")
    focus(page, "#pause")
    page.press("t")
    page.wait(lambda: mock.posted)
    assert mock.posted == [("/control", {"do": "turn"})]
    assert not page.one("#keys").is_displayed()


def test_a_step_with_nothing_ready_is_shown_as_waiting(page: Browser, mock: Mock) -> None:
    show(page, mock, frame(mode="paused", waiting="event"))
    assert page.one("#mode").text == "waiting for an event"
    assert (
        page.one("#at-words").text == "Nothing is ready. The loop runs when something is, then pauses again."
    )
    assert "stopped" not in page.one("#clock").text + page.one("#deadlines-note").text
    show(page, mock, frame(mode="paused", waiting="turn"))
    assert page.one("#mode").text == "waiting for an event"
    show(page, mock, frame(mode="paused"))
    assert page.one("#mode").text == "paused"
    assert "stopped" in page.one("#clock").text


def test_a_connection_opened_before_the_page_appears_in_its_state(page: Browser, mock: Mock) -> None:
    moves = [[IDLE, RESPONDING, 1], [RESPONDING, IDLE, 1]]  # of any connections
    show(page, mock, frame([chip(5, IDLE, 1)], moves=moves))
    show(page, mock, frame([chip(5, IDLE, 1), chip(6, IDLE, 1)], moves=moves))
    page.wait(lambda: seen(page, 6) == ["RESPONDING", "IDLE"])
    assert seen(page, 5) == ["IDLE"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("unseen", "earlier entries were not recorded: the connection was opened before this page"),
        ("dropped", "earlier entries were discarded"),
    ],
)
def test_missing_history_is_reported(page: Browser, mock: Mock, missing: str, words: str) -> None:
    mock.known["5"] = {**KNOWN, "missing": missing, "history": KNOWN["history"][1:]}
    show(page, mock, frame([chip(5, RESPONDING, 3)]))
    page.one('.chip[data-number="5"]').click()
    page.wait(lambda: page.all("#connection .history li"))
    assert [each.text.split("\n")[-1] for each in page.all("#connection .history li")][-1] == words
    assert [each.text for each in page.all("#connection .traffic .missing")] == [words] * (
        missing == "unseen"
    )


def test_a_demo_connection_is_opened_by_its_negative_number(page: Browser, mock: Mock) -> None:
    mock.known["-1"] = {**KNOWN, "number": -1}
    show(page, mock, frame([chip(-1, RESPONDING)], deadlines=[["c-1", "stall", 60.0]]))
    page.one("#deadlines button").click()
    page.wait(lambda: page.one("#connection .badge").text == "RESPONDING")
    assert page.one("#connection-title").text == "c-1"


def test_breakpoints_and_demos_reflect_the_server(page: Browser, mock: Mock) -> None:
    show(page, mock, frame(breakpoints={"states": ["IDLE"], "slow": True}, demos=["pipelining"]))
    assert page.one("#demos button[data-demo=pipelining]").get_attribute("aria-busy") == "true"
    page.one("#breakpoints input[data-state=RESPONDING]").click()
    page.wait(lambda: mock.posted)
    assert mock.posted == [("/breakpoints", {"states": ["IDLE", "RESPONDING"], "slow": True})]
    page.one("#demos button").click()
    page.wait(lambda: len(mock.posted) == 2)
    assert mock.posted[1] == ("/demos", {"name": "pipelining"})


def test_the_reason_of_an_error_response_is_shown(page: Browser, mock: Mock) -> None:
    mock.answers["/demos"] = Response.error(409, f"too many: {HOSTILE}")
    show(page, mock, frame())
    page.one("#demos button").click()
    page.wait(lambda: page.one("#said").text == f"too many: {HOSTILE}")


def test_a_click_shows_a_connection_as_text(page: Browser, mock: Mock) -> None:
    mock.known["5"] = KNOWN
    show(page, mock, frame([chip(5, RESPONDING, 3, peer=HOSTILE)]))
    page.one('.chip[data-number="5"]').click()
    page.wait(lambda: page.one("#connection .badge").text == "RESPONDING")
    text = page.one("#connection").text
    assert text.count(HOSTILE) == 3
    assert "NOTHING, 12 B buffered" in text
    assert [each.text for each in page.all("#connection .history b")] == ["RESPONDING", "IDLE", "ACCEPTED"]
    assert page.one("#connection [aria-current]").get_attribute("data-state") == "RESPONDING"
    assert page.focused() == page.one("#connection")
    assert page.driver.title == "Reactor under the microscope"
    assert not page.all("body img")
    page.press(ESCAPE)
    assert not page.one("#connection").is_displayed()
    assert page.focused() == page.one('.chip[data-number="5"]')


def test_an_unknown_connection_shows_the_error(page: Browser, mock: Mock) -> None:
    show(page, mock, frame([chip(5, IDLE)]))
    page.one("#deadlines button").click()
    page.wait(lambda: page.one("#connection .note").text == "no such connection")


def test_a_step_explains_itself(page: Browser, mock: Mock) -> None:
    show(page, mock, frame())
    for step in ("select", "parse"):
        page.one(f"[data-step={step}] button").click()
        text = page.one("#explanation").text
        assert f"The title of {step}" in text
        assert HOSTILE in text
        assert "reactor/loop.py:7" in text
    assert [each.get_attribute("aria-expanded") for each in page.all("[data-step=parse] button")] == ["true"]
    page.press(ESCAPE)
    assert not page.one("#explanation").is_displayed()


def test_many_connections_are_shown_as_counts(page: Browser, mock: Mock) -> None:
    show(page, mock, frame([chip(5, IDLE)]), dense_frame(1))
    assert not page.all(".chip")
    assert len(page.all(".bucket")) == 8 * len(NAMES)
    assert page.one(".lane[data-state=IDLE] .count").text == str(2000 // len(NAMES))
    assert page.all(".lane[data-state=ACCEPTED] .bucket")[0].text == "7"
    show(page, mock, frame([chip(6, IDLE)]))
    page.wait(lambda: page.one('.chip[data-number="6"]').is_displayed())  # chips fade in
    assert not any(each.is_displayed() for each in page.all(".bucket"))


@pytest.mark.bench
def test_two_thousand_connections_are_drawn_thirty_times_a_second(page: Browser, mock: Mock) -> None:
    """Frames received while one is drawn replace it, so fewer are drawn if the page cannot keep up."""
    mock.send(*map(dense_frame, range(120)), seconds=1 / 30)
    page.wait(lambda: number(page, "received") == 120)
    page.wait(lambda: page.one("#clock").text.startswith("turn 1,190,"))
    assert number(page, "drawn") >= 0.9 * 120


def test_memory_does_not_grow(page: Browser, mock: Mock) -> None:
    def wait_for(count: int) -> None:
        page.wait(lambda: number(page, "received") == count)

    def go_through(first: int, last: int) -> None:
        for begun in range(first, last, 100):
            mock.send(*map(dense_frame, range(begun, begun + 60)))
            mock.send(
                *(
                    frame([chip(40 * turn + each, IDLE, 1) for each in range(40)])
                    for turn in range(begun, begun + 40)
                )
            )
            wait_for(begun + 100)
        show(page, mock, dense_frame(0))
        page.driver.execute_script("document.body.dataset.received = arguments[0]", last)

    def held() -> tuple[int, int]:
        page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        metrics = page.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        values = {each["name"]: each["value"] for each in metrics}
        return int(values["Nodes"]), int(values["JSHeapUsedSize"])

    page.driver.execute_cdp_cmd("Performance.enable", {})
    go_through(0, 200)
    nodes, size = held()
    go_through(200, 900)
    later_nodes, later_size = held()
    # 280 frames of 40 new chips each; a chip has about 12 nodes and is reused.
    assert later_nodes <= nodes + 2000
    assert later_size <= size + 1_000_000
    assert page.driver.execute_script("return turns.kept()") == 200


def test_a_lost_connection_is_reported_and_restored(browser: Browser) -> None:
    with Mock() as first:
        port = first.server.address[1]
        browser.open(first.server.url)
        browser.wait(lambda: len(browser.all(".lane")) == len(NAMES))
        show(browser, first, frame([chip(5, IDLE)]))
        assert not browser.one("#lost").is_displayed()
    browser.wait(lambda: "lost" in browser.one("#lost").text)
    with Mock(port) as second:
        second.send(frame([chip(6, IDLE)]))
        browser.wait(lambda: browser.all('.chip[data-number="6"]'))
        assert not browser.one("#lost").is_displayed()
        assert not browser.all('.chip[data-number="5"]')

"""The directory page in a real browser: display, sorting, filtering, downloads."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import Browser
from tests.support.process import ServerProcess

HOSTILE = '"><img src=x onerror=alert(1)>.txt'
ESCAPE, DOWN, UP = "\ue00c", "\ue015", "\ue013"


@pytest.fixture
def url(directory: Path, server: ServerProcess) -> str:
    for number, name in enumerate(("b2.txt", "b10.txt", "A.txt")):
        (directory / name).write_bytes(b"x" * (1000 >> number))
        os.utime(directory / name, (1_700_000_000 + 60 * number,) * 2)
    return f"{server.url}/files/"


def sort_by(browser: Browser, column: str) -> str:
    browser.one(f"th.{column} a").click()
    return str(browser.one(f"th.{column}").get_attribute("aria-sort"))


def test_it_lists_what_is_there(browser: Browser, url: str) -> None:
    browser.open(url)
    assert browser.names == ["below", "A.txt", "b2.txt", "b10.txt"]
    assert browser.one("h1").text == "files"
    assert browser.one("#summary").text == "1 folder · 3 files · 1.8 kB"
    assert browser.complaints() == []


def test_it_sorts_in_place(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.driver.execute_script("window.isTheSame = true")
    for column, state, names in (
        ("size", "descending", ["b2.txt", "b10.txt", "A.txt"]),
        ("size", "ascending", ["A.txt", "b10.txt", "b2.txt"]),
        ("time", "descending", ["A.txt", "b10.txt", "b2.txt"]),
        ("name", "ascending", ["A.txt", "b2.txt", "b10.txt"]),
        ("name", "descending", ["b10.txt", "b2.txt", "A.txt"]),
    ):
        assert sort_by(browser, column) == state
        assert browser.names == ["below", *names]
        assert len(browser.all("th[aria-sort]")) == 1
    assert browser.driver.current_url.endswith("?sort=name&order=desc")
    assert browser.driver.execute_script("return window.isTheSame")
    browser.driver.refresh()  # may return before the page is there
    browser.wait(lambda: browser.names == ["below", "b10.txt", "b2.txt", "A.txt"])


def test_a_typed_address_may_have_raw_characters(
    browser: Browser, directory: Path, server: ServerProcess, url: str
) -> None:
    (directory / "a[1]|^").mkdir()
    (directory / "a[1]|^" / "inside.txt").touch()
    browser.open(f"{url}a[1]|^?sort=size&x=[]|^{{}}\\`")
    assert browser.names == ["inside.txt"]
    assert browser.driver.current_url.startswith(f"{url}a%5B1%5D%7C%5E/?sort=size&")  # of the redirect


def test_the_front_page_is_the_same(browser: Browser, server: ServerProcess, url: str) -> None:
    browser.open(f"{server.url}/")
    assert browser.names == ["below", "A.txt", "b2.txt", "b10.txt"]
    assert sort_by(browser, "size") == "descending"
    assert browser.driver.current_url == f"{server.url}/?sort=size&order=desc"
    browser.driver.refresh()  # may return before the page is there
    browser.wait(lambda: browser.names == ["below", "b2.txt", "b10.txt", "A.txt"])
    assert browser.complaints() == []
    browser.all("#entries a")[0].click()
    browser.wait(lambda: browser.driver.current_url == f"{url}below/")
    browser.one("nav a").click()
    browser.wait(lambda: browser.driver.current_url == url)


@pytest.mark.parametrize(
    ("path", "text", "links"),
    [
        ("/nothing", "no resource at this path", ["/"]),
        ("/files/below/%3Cimg%20src=x%3E", "file not found", ["/files/below/", "/"]),
        ("/files/%3Cb%3E/x", "file not found", ["/files/%3Cb%3E/", "/"]),
        ("//evil.example/x", "no resource at this path", ["//evil.example/", "/"]),
    ],
)
def test_an_error_page_has_a_way_back(
    browser: Browser, server: ServerProcess, url: str, path: str, text: str, links: list[str]
) -> None:
    browser.open(server.url + path)
    assert browser.one("h1").text == "Not Found"
    assert browser.one("p").text == f"Error 404: {text}"
    assert [each.get_attribute("href") for each in browser.all("a")] == [server.url + link for link in links]
    assert browser.all("img, b") == []
    (complaint,) = browser.complaints()
    assert "404" in complaint
    browser.all("a")[-1].click()
    browser.wait(lambda: "A.txt" in browser.names)


def test_a_long_listing_says_where_its_order_ends_until_it_is_sorted(
    browser: Browser, server: ServerProcess, directory: Path
) -> None:
    for number in range(10_200):
        (directory / "below" / str(number)).touch()
    browser.open(f"{server.url}/files/below/")
    note = browser.one("#order")
    assert note.text == (
        "Only 10,112 of 10,200 entries are sorted; the others follow in groups. "
        "Click a column title to sort all."
    )
    assert browser.one("header").rect["y"] < note.rect["y"] < browser.one("main").rect["y"]
    sort_by(browser, "name")
    assert browser.all("#order") == []
    assert browser.driver.find_element("css selector", "#entries bdi").text == "10199"


def test_it_filters_by_keys_alone(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.press("/")
    assert browser.focused() == browser.one("#filter")
    browser.press("B", "1")
    assert browser.names == ["b10.txt"]
    assert browser.one("#matches").text == "1 of 4 shown"
    browser.press("z")
    assert browser.names == []
    assert browser.one("#nothing").text == "No file or folder matches “B1z”."
    browser.press(ESCAPE)
    assert len(browser.names) == 4
    assert browser.focused() == browser.one("#filter")
    browser.press(ESCAPE)
    assert browser.focused() != browser.one("#filter")


def test_the_arrows_go_from_row_to_row(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.press("/", "txt", DOWN)
    assert browser.focused().text == "A.txt"
    browser.press(DOWN, DOWN, DOWN)
    assert browser.focused().text == "b10.txt"
    browser.press(UP, UP, UP)
    assert browser.focused() == browser.one("#filter")


def test_it_opens_directories_and_their_parents(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.one("#entries a[href='below/']").click()
    browser.wait(lambda: browser.driver.current_url == f"{url}below/")
    assert browser.one("#empty").text == "This folder is empty. Drop files anywhere to upload them."
    assert [each.text for each in browser.all("nav li")] == ["files", "below"]
    browser.one("nav a").click()
    browser.wait(lambda: browser.driver.current_url == url)


def test_it_downloads(browser: Browser, url: str, downloads: Path) -> None:
    browser.open(url)
    browser.one("#entries a[href='b2.txt']").click()
    # The browser first creates an empty file with the name.
    found = downloads / "b2.txt"
    browser.wait(lambda: found.exists() and found.stat().st_size > 0)
    assert found.read_bytes() == b"x" * 1000


def test_hostile_names_are_harmless(browser: Browser, directory: Path, url: str) -> None:
    names = [HOSTILE, "&lt;b&gt;.txt", "javascript:alert(1)", "a?b#c%25.txt"]
    for name in names:
        (directory / name).write_bytes(name.encode())
    inner = directory / HOSTILE.removesuffix(".txt") / "below"
    inner.mkdir(parents=True)
    browser.open(url)
    assert set(names) < set(browser.names)
    browser.press("/", "onerror=alert(1)>.txt")
    assert browser.names == [HOSTILE]
    browser.open(f"{url}%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E/below/")
    assert [each.text for each in browser.all("nav li")] == ["files", HOSTILE.removesuffix(".txt"), "below"]
    browser.all("nav a")[1].click()
    browser.wait(lambda: browser.names == ["below"])
    assert browser.all("img") == []
    assert browser.complaints() == []


def test_files_with_hostile_names_can_be_downloaded(
    browser: Browser, directory: Path, url: str, downloads: Path
) -> None:
    for name in (HOSTILE, "a?b#c%25.txt", "javascript:alert(1)"):
        (directory / name).write_bytes(name.encode())
        browser.open(url)
        before = set(downloads.iterdir())

        def link(name: str = name) -> Any:
            return next((each for each in browser.all("#entries a") if each.text == name), None)

        browser.wait(link).click()

        def finished(name: str = name, before: set[Path] = before) -> bool:
            # During a download there are temporary and empty files, too.
            return name.encode() in [contents(path) for path in set(downloads.iterdir()) - before]

        browser.wait(finished)


def contents(path: Path) -> bytes:
    """Return the content of a file; b"" if it has been renamed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_the_scheme(
    browser: Browser, directory: Path, url: str, width: int, scheme: str
) -> None:
    (directory / ("a-very-long-name" * 15)).touch()
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    command = browser.driver.execute_cdp_cmd
    command("Emulation.setDeviceMetricsOverride", metrics)
    command("Emulation.setEmulatedMedia", {"features": features})
    try:
        browser.open(url)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
        paper = browser.one("body").value_of_css_property("background-color")
        assert (sum(map(int, paper.strip("rgba()").split(", ")[:3])) > 384) is (scheme == "light")
        name, size = browser.all("#entries tr.file")[0].find_elements("css selector", "td")[:2]
        assert (size.rect["y"] > name.rect["y"]) is (width == 390)
    finally:
        command("Emulation.clearDeviceMetricsOverride", {})
        command("Emulation.setEmulatedMedia", {"features": []})


def test_without_scripts_it_lists_and_sorts(plain_browser: Browser, url: str) -> None:
    plain_browser.open(url)
    assert plain_browser.names == ["below", "A.txt", "b2.txt", "b10.txt"]
    assert not plain_browser.one("#filter").is_displayed()
    assert plain_browser.one("th.time").text == "Modified (UTC)"
    plain_browser.one("th.size a").click()
    plain_browser.wait(lambda: plain_browser.names == ["below", "b2.txt", "b10.txt", "A.txt"])


def test_without_scripts_the_front_page_uploads(
    plain_browser: Browser, server: ServerProcess, directory: Path, outside: Path, url: str
) -> None:
    (outside / "one.txt").write_bytes(b"one")
    plain_browser.open(f"{server.url}/")
    plain_browser.choose(outside / "one.txt")
    plain_browser.one("#upload button").click()
    plain_browser.wait(lambda: "one.txt" in plain_browser.names)
    assert plain_browser.driver.current_url == url
    assert (directory / "one.txt").read_bytes() == b"one"


def test_without_scripts_it_uploads(plain_browser: Browser, directory: Path, outside: Path, url: str) -> None:
    names = ["one.txt", HOSTILE]
    for name in names:
        (outside / name).write_bytes(name.encode())
    plain_browser.open(f"{url}below/")
    plain_browser.choose(*(outside / name for name in names))
    plain_browser.one("#upload button").click()
    plain_browser.wait(lambda: sorted(plain_browser.names) == sorted(names))
    assert plain_browser.driver.current_url == f"{url}below/"
    assert {path.name: path.read_bytes() for path in (directory / "below").iterdir()} == {
        name: name.encode() for name in names
    }


def test_without_scripts_no_file_is_replaced(
    plain_browser: Browser, directory: Path, outside: Path, url: str
) -> None:
    (directory / "below" / "one.txt").write_bytes(b"as it was")
    (outside / "one.txt").write_bytes(b"one")
    plain_browser.open(f"{url}below/")
    plain_browser.choose(outside / "one.txt")
    plain_browser.one("#upload button").click()
    plain_browser.wait((directory / "below" / "one (2).txt").exists)
    plain_browser.open(f"{url}below/")
    assert sorted(plain_browser.names) == ["one (2).txt", "one.txt"]
    assert (directory / "below" / "one.txt").read_bytes() == b"as it was"
    assert (directory / "below" / "one (2).txt").read_bytes() == b"one"


def test_a_read_only_server_shows_no_upload(browser: Browser, directory: Path) -> None:
    with ServerProcess("--directory", str(directory), "--read-only") as process:
        browser.open(f"{process.url}/files/")
        assert browser.names == ["below"]
        assert browser.all("form, input[type=file]") == []
        assert browser.complaints() == []

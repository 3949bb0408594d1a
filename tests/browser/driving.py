"""Drive Chromium as a user would: open pages, press keys, choose and drop files."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")
TIMEOUT = 20.0  # seconds; a test that waits longer has failed
ROWS = "#entries tr:not([hidden]) bdi"


def start(downloads: Path, scripts: bool = True) -> Any:
    """Start a headless browser; skip the test if none is installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (extra: browser)")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # In a container, root cannot use the sandbox, and /dev/shm may be too small.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    preferences = {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Browser:
    """A browser; each wait ends within TIMEOUT, or the test fails."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page, clear the console, and wait until the page is loaded: get() can return earlier."""
        self.driver.get("about:blank")
        self.complaints()
        self.driver.get(url)
        loaded = "return document.URL !== 'about:blank' && document.readyState === 'complete'"
        self.wait(lambda: self.driver.execute_script(loaded) or None)

    def wait(self, condition: Callable[[], Found | None]) -> Found:
        """Wait until a condition holds; return what it returns.

        Reading fails in several ways while the browser replaces the page, so its errors are retried.
        """
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        ignored = (WebDriverException,)
        found: Found | None = WebDriverWait(self.driver, TIMEOUT, 0.05, ignored).until(lambda _: condition())
        assert found is not None
        return found

    def all(self, selector: str) -> list[Any]:
        """Find all elements of a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """Find the one element of a CSS selector."""
        (element,) = self.all(selector)
        return element

    @property
    def names(self) -> list[str]:
        """The names in the visible rows of the directory page, from top to bottom."""
        return [element.text for element in self.all(ROWS)]

    @property
    def uploads(self) -> dict[str, str]:
        """The status text of each upload, by file name."""
        items = self.all("#queue li")
        return {text(item, ".name"): text(item, ".note") for item in items}

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, on the focused element."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> Any:
        """Return the element that has the focus."""
        return self.driver.switch_to.active_element

    def choose(self, *files: Path) -> None:
        """Choose files to upload."""
        self.one("#files").send_keys("\n".join(map(str, files)))

    def button(self, label: str) -> Any:
        """Wait for an upload's button with a label such as "Cancel: name"."""
        return self.wait(lambda: next(iter(self.all(f'#queue button[aria-label="{label}"]')), None))

    def drag(self, step: str, *files: Path) -> None:
        """Simulate a step of dragging files onto the page: dragEnter, dragOver or drop."""
        if step == "dragEnter":  # Chromium discards the event if the page was not painted yet
            painted = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
            self.driver.execute_async_script(painted)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        event = {"type": step, "x": 300, "y": 300, "data": data}
        self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def complaints(self) -> list[str]:
        """Return the console messages (errors, policy violations) since the last call."""
        return [each["message"] for each in self.driver.get_log("browser")]


def text(element: Any, selector: str) -> str:
    """Return the text of an element within another."""
    return str(element.find_element("css selector", selector).text)

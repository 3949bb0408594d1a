"""Chromium, as a person would use it: pages opened, keys pressed, files chosen and dropped."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")
TIMEOUT = 20.0  # seconds; a test that waits longer has failed
ROWS = "#entries tr:not([hidden]) bdi"


def start(downloads: Path, scripts: bool = True) -> Any:
    """Start a browser without a window; skip the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (extra: browser)")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Of the sandbox nothing is left to a container's root, and /dev/shm may be small there.
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
    """A browser at the page of a directory; whatever is waited for comes in time, or the test fails."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page, and forget what was said to the console before."""
        self.driver.get("about:blank")
        self.complaints()
        self.driver.get(url)

    def wait(self, condition: Callable[[], Found | None]) -> Found:
        """Wait until a condition holds; return what it returns."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        ignored = (StaleElementReferenceException,)
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
        """The names in the rows that are shown, from top to bottom."""
        return [element.text for element in self.all(ROWS)]

    @property
    def uploads(self) -> dict[str, str]:
        """What is said of each upload, by the name of its file."""
        items = self.all("#queue li")
        return {text(item, ".name"): text(item, ".note") for item in items}

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> Any:
        """Return the element that has the focus."""
        return self.driver.switch_to.active_element

    def choose(self, *files: Path) -> None:
        """Choose files to upload."""
        self.one("#files").send_keys("\n".join(map(str, files)))

    def button(self, label: str) -> Any:
        """Wait for a button of an upload by its whole label, such as "Cancel: name"."""
        return self.wait(lambda: next(iter(self.all(f'#queue button[aria-label="{label}"]')), None))

    def drag(self, step: str, *files: Path) -> None:
        """Drag files over the page from outside: dragEnter, dragOver, drop."""
        if step == "dragEnter":  # Chromium drops the event when it arrives before the page was painted
            painted = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
            self.driver.execute_async_script(painted)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        event = {"type": step, "x": 300, "y": 300, "data": data}
        self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def complaints(self) -> list[str]:
        """Return what the console says of errors and of breaches of the policy, since the last call."""
        return [each["message"] for each in self.driver.get_log("browser")]


def text(element: Any, selector: str) -> str:
    """Return the text of an element within another."""
    return str(element.find_element("css selector", selector).text)

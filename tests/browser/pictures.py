"""Take the pictures of README.md: ``python -m tests.browser.pictures``; needs Chromium and pngquant."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.browser.driving import Browser, start
from tests.support.process import ROOT
from tests.unit.inspector.microscope import MicroscopeProcess

IMAGES = ROOT / ".github" / "images"
# Names, sizes in bytes and times of modification; the files are sparse.
FILES = {
    "Interview 1.mp3": (18_204_771, 1_792_010_000),
    "Interview 2.mp3": (21_730_052, 1_792_101_000),
    "Packing list.txt": (1_180, 1_794_128_000),
    "Sunrise over the lake.jpg": (2_460_310, 1_793_885_000),
    "Trail map.pdf": (3_812_440, 1_793_712_000),
    "budget-2026.ods": (46_020, 1_790_440_000),
    "garden-timelapse.mp4": (148_900_600, 1_788_800_000),
    "notes.md": (7_340, 1_794_205_000),
}
CALM = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}


def show(browser: Browser, url: str, width: int, height: int, scale: float) -> None:
    """Open a page in a window of this size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", CALM)
    browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    browser.open(url)


def main() -> None:
    """Take a picture of the directory page, and one of the microscope at a breakpoint."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Photos").mkdir()
        for name, (size, modified) in FILES.items():
            (Path(folder) / name).touch()
            os.truncate(Path(folder) / name, size)
            os.utime(Path(folder) / name, (modified, modified))
        browser = Browser(start(Path(folder)))
        with MicroscopeProcess("--directory", folder) as microscope:
            show(browser, f"{microscope.url}/", 960, 520, 1)
            browser.driver.save_screenshot(str(IMAGES / "directory.png"))
            show(browser, f"http://127.0.0.1:{microscope.inspector}/", 1440, 1222, 0.8)
            browser.wait(lambda: browser.all("[data-demo]"))
            for name in ("one-byte", "slow-reader", "half-close", "keep-alive"):
                browser.one(f'[data-demo="{name}"]').click()
            browser.wait(lambda: browser.all('.chip[data-state="DRAINING"]'))
            browser.one('#breakpoints input[data-state="RESPONDING"]').click()
            browser.wait(lambda: "paused" in browser.one("#mode").text)
            browser.driver.save_screenshot(str(IMAGES / "microscope.png"))
        browser.driver.quit()
    subprocess.run(["pngquant", "--force", "--ext", ".png", *IMAGES.glob("*.png")], check=True)


if __name__ == "__main__":
    main()

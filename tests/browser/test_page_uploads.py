"""Uploads in a real browser: choose, drop, progress, cancel, retry, error.

To keep an upload in progress, the server process is suspended: the kernel buffers some of the data, and the
rest is not read.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.driving import Browser
from tests.support.process import ServerProcess

LARGE = 64 << 20  # bytes; more than the kernel buffers


@pytest.fixture
def url(server: ServerProcess) -> str:
    return f"{server.url}/files/"


def make_files(outside: Path, *names: str, size: int = 3) -> list[Path]:
    for name in names:
        with (outside / name).open("wb") as file:
            file.truncate(size)
    return [outside / name for name in names]


@contextmanager
def suspended(server: ServerProcess) -> Iterator[None]:
    """Suspend the server process."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


def stored(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in directory.iterdir() if path.is_file()}


def progress(browser: Browser, name: str) -> tuple[float, float]:
    bar = browser.one(f'#queue progress[aria-label="Upload of {name}"]')
    return float(bar.get_attribute("value")), float(bar.get_attribute("max"))


def test_three_files_are_chosen(browser: Browser, directory: Path, outside: Path, url: str) -> None:
    browser.open(url)
    names = ["a.txt", "gr\u00fcn %25?#.txt", '"><img src=x onerror=alert(1)>.txt']
    browser.choose(*make_files(outside, *names))
    browser.wait(lambda: browser.uploads == dict.fromkeys(names, "Uploaded, 3 B"))
    assert stored(directory) == dict.fromkeys(names, 3)
    assert sorted(browser.names) == sorted(["below", *names])
    assert browser.one("#summary").text == "1 folder · 3 files · 9 B"
    assert browser.one("#status").get_attribute("aria-live") == "polite"
    assert "Uploaded" in browser.one("#status").get_attribute("textContent")
    assert browser.all("img") == []
    assert browser.complaints() == []
    browser.one("#clear").click()
    assert not browser.one("#uploads").is_displayed()


def test_three_files_are_dropped(browser: Browser, directory: Path, outside: Path, url: str) -> None:
    names = ["a.txt", "b.txt", "c.txt"]
    files = make_files(outside, *names)
    browser.open(f"{url}below/")
    browser.drag("dragEnter", *files)
    browser.wait(browser.one("#drop").is_displayed)
    browser.drag("dragOver", *files)
    browser.drag("drop", *files)
    browser.wait(lambda: browser.uploads == dict.fromkeys(names, "Uploaded, 3 B"))
    assert not browser.one("#drop").is_displayed()
    assert not browser.one("#empty").is_displayed()
    assert browser.names == names
    assert stored(directory / "below") == dict.fromkeys(names, 3)


def test_the_overlay_is_hidden_when_files_are_dragged_away(browser: Browser, outside: Path, url: str) -> None:
    browser.open(url)
    (file,) = make_files(outside, "a.txt")
    browser.drag("dragEnter", file)
    browser.wait(browser.one("#drop").is_displayed)
    # The driver cannot drag a file out of the window, so dispatch the event that a browser would.
    leave = "document.body.dispatchEvent(new DragEvent('dragleave', {bubbles: true, relatedTarget: %s}))"
    browser.driver.execute_script(leave % "document.querySelector('main')")
    assert browser.one("#drop").is_displayed()
    browser.driver.execute_script(leave % "null")
    assert not browser.one("#drop").is_displayed()


@pytest.mark.parametrize("names", [[], ["a.txt", "b.txt"]], ids=["alone", "with files"])
def test_a_dropped_folder_is_refused_visibly(
    browser: Browser, directory: Path, outside: Path, url: str, names: list[str]
) -> None:
    folder = outside / "folder"
    folder.mkdir()
    files = make_files(outside, *names)
    browser.open(url)
    for step in ("dragEnter", "dragOver", "drop"):
        browser.drag(step, *files, folder)
    refused = {"folder/": "Folders cannot be uploaded. Drop the files in it, or an archive of it (.zip)."}
    browser.wait(lambda: browser.uploads == refused | dict.fromkeys(names, "Uploaded, 3 B"))
    assert next(iter(browser.uploads)) == "folder/"
    assert all(each.is_displayed() for each in browser.all("#queue .note"))
    assert stored(directory) == dict.fromkeys(names, 3)
    browser.one("#clear").click()
    assert not browser.one("#uploads").is_displayed()


def test_the_front_page_uploads_into_the_directory(
    browser: Browser, directory: Path, outside: Path, server: ServerProcess
) -> None:
    browser.open(f"{server.url}/")
    browser.choose(*make_files(outside, "a b.txt"))
    browser.wait(lambda: browser.uploads == {"a b.txt": "Uploaded, 3 B"})
    assert stored(directory) == {"a b.txt": 3}
    assert browser.one("tr.new a").get_attribute("href") == f"{server.url}/files/a%20b.txt"
    assert browser.driver.current_url == f"{server.url}/"
    assert browser.complaints() == []


def test_an_upload_shows_progress_and_can_be_cancelled_and_retried(
    browser: Browser, server: ServerProcess, directory: Path, outside: Path, url: str
) -> None:
    browser.open(url)
    with suspended(server):
        browser.choose(*make_files(outside, "large", size=LARGE))
        value, full = browser.wait(lambda: seen if (seen := progress(browser, "large"))[0] else None)
        assert 0 < value < full == LARGE
        assert " % of 67 MB" in browser.uploads["large"]
        browser.button("Cancel: large").click()
        browser.wait(lambda: browser.uploads == {"large": "Cancelled"})
    server.keep_asking_until(lambda: stored(directory) == {})
    assert browser.names == ["below"]
    assert browser.focused() == browser.button("Retry: large")  # the focus stays where it was
    browser.button("Retry: large").click()
    browser.wait(lambda: browser.uploads == {"large": "Uploaded, 67 MB"})
    assert stored(directory) == {"large": LARGE}


def test_two_uploads_run_at_a_time_and_waiting_ones_can_be_cancelled(
    browser: Browser, server: ServerProcess, directory: Path, outside: Path, url: str
) -> None:
    names = ["a", "b", "c", "d"]
    browser.open(url)
    with suspended(server):
        browser.choose(*make_files(outside, *names, size=LARGE // 8))
        browser.wait(lambda: len(browser.all("#queue li")) == 4)
        states = [each.get_attribute("data-state") for each in browser.all("#queue li")]
        assert states == ["sending", "sending", "waiting", "waiting"]
        browser.button("Cancel: c").click()
        assert browser.uploads["c"] == "Cancelled"
    browser.wait(lambda: list(browser.uploads.values()).count("Uploaded, 8.4 MB") == 3)
    assert stored(directory) == dict.fromkeys(["a", "b", "d"], LARGE // 8)


def test_a_file_is_replaced_only_after_confirmation(
    browser: Browser, directory: Path, outside: Path, url: str
) -> None:
    for name in ("old", "kept"):
        (directory / name).write_bytes(b"as it was")
    browser.open(url)
    browser.choose(*make_files(outside, "old", "kept"))
    browser.button("Skip: kept").click()
    browser.button("Replace: old").click()
    browser.wait(lambda: browser.uploads == {"old": "Uploaded, 3 B", "kept": "Skipped"})
    assert stored(directory) == {"old": 3, "kept": 9}
    assert browser.names == ["below", "kept", "old"]


def test_the_focus_moves_from_cancel_to_skip(
    browser: Browser, server: ServerProcess, directory: Path, outside: Path, url: str
) -> None:
    (directory / "old").write_bytes(b"as it was")
    browser.open(url)
    with suspended(server):
        browser.choose(*make_files(outside, "old"))
        browser.driver.execute_script("arguments[0].focus()", browser.button("Cancel: old"))
    browser.button("Skip: old")
    assert browser.focused() == browser.button("Skip: old")


def test_both_files_are_kept_under_a_name_that_the_page_shows(
    browser: Browser, directory: Path, outside: Path, url: str
) -> None:
    long = "\u00e9" * 125 + ".txt"  # 254 bytes
    for name in ("a.txt", "a (2).txt", long):
        (directory / name).write_bytes(b"as it was")
    browser.open(url)
    (directory / "a (3).txt").write_bytes(b"unknown to the page")
    browser.choose(*make_files(outside, "a.txt", long))
    browser.button(f"Keep both: {long}").click()
    browser.button("Keep both: a.txt").click()
    shortened = "\u00e9" * 123 + " (2).txt"
    shown = {"a.txt": "Uploaded as a (4).txt, 3 B", long: f"Uploaded as {shortened}, 3 B"}
    browser.wait(lambda: browser.uploads == shown)
    kept = {"a.txt": 9, "a (2).txt": 9, "a (3).txt": 19, long: 9}
    assert stored(directory) == kept | {"a (4).txt": 3, shortened: 3}
    assert {"a.txt", "a (4).txt", shortened} < set(browser.names)
    assert " as " in browser.one("#status").get_attribute("textContent")


def test_two_chosen_files_of_one_name_are_both_kept(
    browser: Browser, directory: Path, outside: Path, url: str
) -> None:
    (outside / "other").mkdir()
    browser.open(url)
    browser.choose(*make_files(outside, "a.txt", size=1))
    browser.choose(*make_files(outside / "other", "a.txt", size=2))
    browser.button("Keep both: a.txt").click()
    browser.wait(lambda: set(stored(directory)) == {"a.txt", "a (2).txt"})
    assert set(stored(directory).values()) == {1, 2}


def test_the_error_message_of_the_server_is_shown(
    browser: Browser, directory: Path, outside: Path, url: str
) -> None:
    browser.open(url)
    browser.choose(*make_files(outside, ".hidden"))
    browser.button("Retry: .hidden")
    assert browser.uploads == {
        ".hidden": "invalid file name: '.hidden' (--hidden allows names that begin with a dot)"
    }
    assert stored(directory) == {}


def test_a_lost_connection_is_reported_and_can_be_retried(
    browser: Browser, directory: Path, outside: Path, server: ServerProcess, url: str
) -> None:
    browser.open(url)
    server.kill()
    browser.choose(*make_files(outside, "a.txt"))
    browser.button("Retry: a.txt")
    assert "Connection lost" in browser.uploads["a.txt"]
    with ServerProcess("--directory", str(directory), "--port", str(server.port)):
        browser.button("Retry: a.txt").click()
        browser.wait(lambda: browser.uploads == {"a.txt": "Uploaded, 3 B"})

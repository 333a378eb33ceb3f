"""A Chromium without a screen, which the tests of the page look through."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

#: As `.ci/chromium` looks for them.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"

#: It is to be left alone by the network, and to do nothing of its own.
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # which root has none of; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
)
#: A page is loaded in half a second, on a machine that is busy in ten.
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser with one window."""

    driver: webdriver.Chrome

    def show(self, url: str, width: int = 1280, scheme: str = "light", script: bool = True) -> None:
        """Show a page in a window of ``width`` pixels, on a screen that is light or dark."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", media="", features=features)
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.said()
        self.requests()
        self.driver.get(url)

    def command(self, name: str, **parameters: object) -> dict[str, Any]:
        """Give a command of the DevTools protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return answer

    def ask(self, script: str) -> Any:
        """Return what a script in the page returns."""
        return self.driver.execute_script(script)

    def wait(self, script: str, what: str) -> None:
        """Wait until ``script`` returns something true; ``what`` it is."""
        WebDriverWait(self.driver, _PATIENCE, 0.05).until(lambda _: self.ask(script), what)

    def said(self) -> list[str]:
        """Return what the console of the page said since the last question."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return what the page asked for since the last question, but for what is in itself."""
        events = (
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        )
        asked = (
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        )
        return [url for url in asked if not url.startswith("data:")]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser that keeps its things in ``folder``; fail if there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which(DRIVER)
    if program is None or driver is None:
        pytest.fail(
            "the page can't be looked at: no Chromium with its driver; run `sh .ci/chromium`"
        )
    options = Options()
    options.binary_location = program
    for switch in (*_SWITCHES, f"--user-data-dir={folder}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(driver))
    try:
        window.set_page_load_timeout(_PATIENCE)
        window.set_script_timeout(_PATIENCE)
        yield Browser(window)
    finally:
        window.quit()

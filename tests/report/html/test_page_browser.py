"""The page in a real browser: at three widths, in the dark, by keyboard, on paper, and live."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from fuzz.report.html.gather import Gatherer
from fuzz.report.html.render import page_html
from fuzz.report.html.server import Desk, PageServer
from tests.report.html.browsers import Browser, browser
from tests.report.html.stand_ins import campaign, finding_of, page_of, save

WIDTHS = (360, 768, 1280)
#: Presses of Tab from the top of the page to its first finding, at most.
TABS = 60


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser for all tests of this module: starting one takes a second."""
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where the page of a campaign is, against a target that says the worst."""
    folder = campaign(tmp_path_factory.mktemp("night"))
    page = folder / "report.html"
    page.write_text(page_html(page_of(folder)), encoding="utf-8")
    return page.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_says_nothing_and_asks_for_nothing(
    window: Browser, url: str, width: int, scheme: str
) -> None:
    window.show(url, width, scheme)
    window.ask("for (const box of document.querySelectorAll('details')) box.open = true")
    assert window.ask("return innerWidth") == width
    assert window.ask("return document.documentElement.scrollWidth") <= width
    assert window.said() == []
    assert window.requests() == [url]
    assert window.ask("return document.title").endswith("iris-fuzz - " + url.split("/")[-2])


def test_ids_are_unique_and_pictures_have_names(window: Browser, url: str) -> None:
    window.show(url)
    assert (
        window.ask(
            "const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);"
            "return ids.filter((id, n) => ids.indexOf(id) !== n)"
        )
        == []
    )
    tree = window.command("Accessibility.getFullAXTree")["nodes"]
    pictures = [node for node in tree if node.get("role", {}).get("value") in ("image", "img")]
    assert len(pictures) >= 8
    assert [node for node in pictures if not node.get("name", {}).get("value")] == []


#: For each text that is seen: its colour against what is behind it, as WCAG 2 has it.
CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = rgba(getComputedStyle(one).backgroundColor);
    if (colour[3] > 200) return colour;
  }
  return rgba("white");
};
const poor = new Set();
for (const element of document.querySelectorAll("body *:not(script)")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || element.closest(".hidden, .skip") || element.closest("svg")) continue;
  if (!element.checkVisibility()) continue;
  const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
}
return [...poor];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_what_is_behind_it(
    window: Browser, url: str, scheme: str
) -> None:
    window.show(url, scheme=scheme)
    window.ask("for (const box of document.querySelectorAll('details')) box.open = true")
    assert window.ask(CONTRAST) == []


GROUND = "return getComputedStyle(document.body).backgroundColor"


def test_the_screen_chooses_the_colours_and_the_switch_overrides_it(
    window: Browser, url: str
) -> None:
    window.show(url, scheme="light")
    light = window.ask(GROUND)
    window.show(url, scheme="dark")
    dark = window.ask(GROUND)
    assert light != dark
    window.ask("document.getElementById('scheme-light').click()")
    assert window.ask(GROUND) == light
    # Not opened anew: another process of the browser may not know yet what this one has stored.
    window.driver.refresh()
    assert window.ask(GROUND) == light, "the choice is kept"
    window.ask("document.getElementById('scheme-auto').click()")
    assert window.ask(GROUND) == dark


def test_the_keyboard_reaches_the_switch_the_findings_and_what_scrolls(
    window: Browser, url: str
) -> None:
    window.show(url)
    keys = ActionChains(window.driver, duration=0)
    reached: list[str] = []
    for _ in range(TABS):
        keys.send_keys(Keys.TAB).perform()
        keys.reset_actions()
        reached.append(
            window.ask(
                "const one = document.activeElement;"
                "return one.closest('details.finding') && one.tagName === 'SUMMARY' ? 'finding'"
                " : one.className === 'skip' ? 'skip' : one.name || one.tagName"
            )
        )
        outline = window.ask(
            "const one = document.activeElement;"
            "const seen = one.name === 'scheme' ? one.nextElementSibling : one;"
            "return getComputedStyle(seen).outlineStyle"
        )
        assert outline != "none", reached[-1]
        if reached[-1] == "finding":
            break
    assert reached[0] == "skip"
    assert "scheme" in reached
    assert reached[-1] == "finding"

    first = "return document.querySelector('details.finding').open"
    before = window.ask(first)
    keys.send_keys(Keys.SPACE).perform()
    assert window.ask(first) is not before


def test_a_link_to_a_finding_opens_it(window: Browser, url: str) -> None:
    window.show(url)
    links = "document.querySelectorAll('.defects a')"
    window.ask(f"{links}[{links}.length - 1].click()")
    window.wait(
        "return document.querySelector(location.hash).closest('details').open",
        "the finding that the link leads to",
    )
    assert window.ask("return location.hash.startsWith('#f-')")


def test_the_reproducer_can_be_copied(window: Browser, url: str) -> None:
    window.show(url)
    window.ask("document.querySelector('.copy').click()")
    window.wait(
        "return document.getElementById('said').textContent"
        " === 'Copied' || getSelection().toString().includes('iris-fuzz replay')",
        "the copy, or the selected text where a browser forbids it",
    )
    assert window.said() == []


def test_without_javascript_all_is_there_and_no_button_is(window: Browser, url: str) -> None:
    window.show(url, script=False)
    try:
        root = window.command("DOM.getDocument", depth=0)["root"]["nodeId"]

        def count(selector: str) -> int:
            found = window.command("DOM.querySelectorAll", nodeId=root, selector=selector)
            return len(found["nodeIds"])

        assert count("details.finding") == 3
        assert count("figure.plot path.line") >= 9
        assert count("button") == count("button[hidden]") > 0
    finally:
        window.command("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints_in_light_colours_with_every_finding_open(window: Browser, url: str) -> None:
    window.show(url, scheme="dark")
    window.command(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    assert window.ask(GROUND) == "rgb(255, 255, 255)"
    assert window.ask(
        "return [...document.querySelectorAll('.finding .body')].every((one) => one.checkVisibility"
        "({ contentVisibilityAuto: true }) && one.getBoundingClientRect().height > 100)"
    )
    paper = window.command("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(paper).startswith(b"%PDF-")


def test_the_live_page_takes_in_what_has_changed_and_keeps_what_is_open(
    window: Browser, tmp_path: Path
) -> None:
    save(tmp_path, finding_of("a"), finding_of("b"))
    with PageServer(Desk(Gatherer(tmp_path, "0.1")), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            window.show(server.url)
            boxes = "[...document.querySelectorAll('details.finding')].map((one) => one.open)"
            assert window.ask(f"return {boxes}") == [True, False]
            window.ask(
                "for (const box of document.querySelectorAll('.finding')) box.open = !box.open"
            )
            window.ask("document.querySelector('.finding > summary').focus()")
            where = "return document.activeElement.parentElement.id"
            focused = window.ask(where)
            save(tmp_path, finding_of("c"))
            window.wait(
                "return document.querySelectorAll('details.finding').length === 3",
                "the third finding on the page",
            )
            assert window.ask("return document.querySelector('h1').textContent").startswith("3 def")
            assert window.ask("return document.title").startswith("3 defects found")
            assert sum(window.ask(f"return {boxes}")) == 1
            assert window.ask(where) == focused
            own = {url.startswith(server.url) for url in window.requests()}
            assert own == {True}
            assert window.said() == []
        finally:
            server.shutdown()
            thread.join(30)
        window.driver.get("about:blank")


def test_the_live_page_says_when_its_folder_or_its_server_is_gone(
    window: Browser, tmp_path: Path
) -> None:
    save(tmp_path, finding_of("a"))
    with PageServer(Desk(Gatherer(tmp_path, "0.1")), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        window.show(server.url)
        tmp_path.rename(tmp_path.with_name("elsewhere"))
        window.wait(
            "return document.getElementById('live-state').textContent.includes('is not there')",
            "the word that the folder is gone",
        )
        tmp_path.with_name("elsewhere").rename(tmp_path)
        window.wait("return !document.body.classList.contains('stale')", "the folder to be back")
        server.shutdown()
        thread.join(30)
    window.wait("return document.body.classList.contains('stale')", "the word that it is stale")
    assert "does not answer" in window.ask(
        "return document.getElementById('live-state').textContent"
    )
    assert window.ask("return document.querySelectorAll('details.finding').length") == 1
    window.driver.get("about:blank")

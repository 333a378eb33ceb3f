"""The page as HTML: what a target said stays text, and the page stands on its own."""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.report.html import findings as findings_module
from fuzz.report.html.gather import Gatherer
from fuzz.report.html.render import page_html, sections_of
from fuzz.store.timeline import FILE_NAME, TimelineWriter
from tests.report.html.stand_ins import (
    HOSTILE,
    NOW,
    campaign,
    finding_of,
    page_of,
    read,
    save,
    timeline,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of a campaign against a target that says the worst."""
    return page_html(page_of(campaign(tmp_path_factory.mktemp("hostile"))))


def test_what_a_target_says_becomes_no_element_and_no_attribute(hostile: str) -> None:
    page = read(hostile)
    assert len(page.named("script")) == 1
    assert page.named("img") == []
    handlers = [name for one in page.elements for name in one.attributes if name.startswith("on")]
    assert handlers == []
    assert [one for one in page.elements if "autofocus" in one.attributes] == []
    assert hostile.count(HOSTILE[:20]) == 0


def test_what_a_browser_hides_or_obeys_is_shown(hostile: str) -> None:
    assert not set(hostile) & {"\x1b", "\0", "\u202e", "\r"}
    assert "\\x1b[2J\\u{202e}\\x00" in hostile


def test_only_our_own_code_and_style_run(hostile: str) -> None:
    page = read(hostile)
    (policy,) = (
        one.attributes["content"]
        for one in page.named("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    for name in ("script", "style"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", hostile, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    # With such a policy a style in an attribute has no effect, so there must be none.
    assert [one.tag for one in page.elements if "style" in one.attributes] == []


def test_the_page_names_nothing_outside_of_it(hostile: str) -> None:
    for one in read(hostile).elements:
        for name in ("src", "href", "action", "data", "poster", "xlink:href"):
            value = one.attributes.get(name, "#")
            assert value.startswith("#") or value == "data:,", (one.tag, name, value)
    assert "url(" not in hostile[: hostile.index("</style>")]


def test_ids_are_unique_and_every_reference_has_its_element(hostile: str) -> None:
    page = read(hostile)
    ids = Counter(one.attributes["id"] for one in page.elements if "id" in one.attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    names = [
        name
        for one in page.elements
        for key in ("aria-labelledby", "for", "data-copy")
        for name in one.attributes.get(key, "").split()
    ]
    links = [one.attributes["href"][1:] for one in page.named("a")]
    assert {*names, *links} - set(ids) == set()


def test_headings_are_in_order_and_there_is_one_title(hostile: str) -> None:
    levels = [int(one.tag[1]) for one in read(hostile).elements if re.fullmatch("h[1-6]", one.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_pictures_have_names_and_boxes_that_scroll_can_be_reached(hostile: str) -> None:
    page = read(hostile)
    pictures = page.named("svg")
    assert len(pictures) > 12
    for one in pictures:
        known = one.attributes.get("aria-labelledby") or one.attributes.get("aria-hidden") == "true"
        assert known, one
    boxes = [one for one in page.elements if "scroll" in one.attributes.get("class", "").split()]
    boxes += page.named("pre")
    assert boxes
    for one in boxes:
        assert one.attributes["tabindex"] == "0"
        assert one.attributes["role"] == "group"


def test_half_a_character_is_no_reason_to_lose_the_page(tmp_path: Path) -> None:
    save(tmp_path, finding_of("\ud800", pattern="\udfff", log_tail=["\udc80"], other="\ud800"))
    html = page_html(page_of(tmp_path)).encode().decode()
    assert "it crashed \\u{d800}" in html


def test_without_a_time_line_the_page_says_why_and_has_the_rest(tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    page = page_of(tmp_path)
    assert [section.name for section in sections_of(page)] == [
        "summary", "trends", "findings", "matrix",
    ]  # fmt: skip
    html = page_html(page)
    assert f"no time line ({FILE_NAME})" in html
    assert "1 defect found: 1 medium" in html


def test_an_empty_folder_has_a_page(tmp_path: Path) -> None:
    html = page_html(page_of(tmp_path))
    assert "No defect found" in html
    assert "Nothing was found." in html


def test_a_campaign_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    TimelineWriter(tmp_path).close()
    page = page_of(tmp_path)
    assert "only just begun" in page.no_timeline
    assert "only just begun" in page_html(page)


def damaged(folder: Path) -> None:
    data = bytearray((folder / FILE_NAME).read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (folder / FILE_NAME).write_bytes(data)


def of_an_unknown_kind(folder: Path) -> None:
    db = sqlite3.connect(folder / FILE_NAME)
    db.execute("UPDATE findings SET kind = 'strange'")
    db.commit()
    db.close()


def foreign(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"no database at all, and longer than its head" * 9)


@pytest.mark.parametrize("spoil", [damaged, of_an_unknown_kind, foreign])
def test_a_bad_time_line_takes_only_its_own_part_along(tmp_path: Path, spoil: object) -> None:
    save(tmp_path, finding_of("a"))
    timeline(tmp_path)
    for leftover in ("-wal", "-shm"):
        (tmp_path / f"{FILE_NAME}{leftover}").unlink(missing_ok=True)
    assert callable(spoil)
    spoil(tmp_path)
    gathered = Gatherer(tmp_path, "0.1").gather(NOW)
    assert gathered.failure is not None
    assert FILE_NAME in str(gathered.failure)
    assert gathered.page.findings.total == 1
    assert (gathered.page.plots, gathered.page.history) == ((), None)
    assert str(gathered.failure).partition(" (")[0][-20:] in page_html(gathered.page)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name, reason in (("gone", "is not there"), ("file", "is no folder")):
        with pytest.raises(StoreError, match=reason):
            page_of(tmp_path / name)


def test_the_page_of_a_thousand_findings_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each is written with an fsync: a hundred show what a thousand would, with smaller limits.
    for name, most in (("MAX_ROWS", 60), ("MAX_FULL", 20), ("MAX_REPRODUCERS", 2)):
        monkeypatch.setattr(findings_module, name, most)
    log = {"log_tail": ["x" * 500] * 500}
    names = (chr(ord("a") + n // 10) + chr(ord("k") + n % 10) for n in range(100))
    save(tmp_path, *(finding_of(name, **log) for name in names))
    html = page_html(page_of(tmp_path))
    assert "40 more findings are not listed" in html
    assert "only the worst 20 of 100 findings are told in full" in html
    assert len(html) < 20 * 60_000 + 2 * 80_000


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    campaign(tmp_path)
    assert page_html(page_of(tmp_path)) == page_html(page_of(tmp_path))

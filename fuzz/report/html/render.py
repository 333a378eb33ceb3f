"""From the values of a page to its HTML: one file, with no need of any other."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from fuzz.report.html.model import Page
from fuzz.report.html.plots import draw
from fuzz.report.html.words import counted, visible

#: The sections in their order: what each is called in the page, and in its table of contents.
SECTIONS: Mapping[str, str] = {
    "summary": "Summary",
    "trends": "Over time",
    "findings": "Findings",
    "coverage": "Coverage",
    "matrix": "Opcodes by state",
    "vitals": "Vitals",
    "history": "Runs",
}
#: Nothing is fetched, nothing is sent, and no code runs but our own, whatever a target smuggled in.
_POLICY = (
    "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; "
    "{live}base-uri 'none'; form-action 'none'"
)
#: The live page asks the server that it came from, and nobody else.
_LIVE_POLICY = "connect-src 'self'; "


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page and its HTML; ``digest`` changes with it."""

    name: str
    title: str
    html: str

    @property
    def digest(self) -> str:
        """Return what is another if the HTML is."""
        return hashlib.sha256(self.html.encode()).hexdigest()[:16]


def sections_of(page: Page) -> tuple[Section, ...]:
    """Return the sections of ``page``, those left out about which nothing is known."""
    there = {
        "summary": True,
        "trends": True,
        "findings": True,
        "coverage": page.coverage is not None,
        "matrix": True,
        "vitals": bool(page.vitals),
        "history": page.history is not None,
    }
    return tuple(
        Section(name, title, _template(f"{name}.html").render(page=page))
        for name, title in SECTIONS.items()
        if there[name]
    )


def page_html(page: Page, live: bool = False) -> str:
    """Return the whole page; a ``live`` one asks its server for what has changed."""
    style, script = _static("page.css"), _static("page.js")
    policy = _POLICY.format(
        style=_source_hash(style), script=_source_hash(script), live=_LIVE_POLICY if live else ""
    )
    return _template("page.html").render(
        page=page,
        sections=sections_of(page),
        live=live,
        policy=policy,
        # Both are files of ours, and hold nothing that was read.
        style=Markup(style),
        script=Markup(script),
    )


def anchor(text: str) -> str:
    """Return a name for an element that stands for ``text``, whatever is in that."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:12]


def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fuzz.report.html"),
        # All that is put in is hostile until it is said not to be.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=_shown,
    )
    environment.filters.update(anchor=anchor, counted=counted, draw=draw)
    return environment


def _shown(value: object) -> object:
    """Return what stands for ``value`` on the page: text without what a browser hides or obeys."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _static(name: str) -> str:
    folder = resources.files("fuzz.report.html") / "templates"
    return (folder / name).read_text(encoding="utf-8").strip()


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"

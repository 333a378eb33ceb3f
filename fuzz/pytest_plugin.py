"""A plugin of pytest: the fixture ``iris`` is an Iris that runs, and is watched.

    from hypothesis import given
    from fuzz.generate import strategies

    def test_a_client_of_mine(iris):
        client = connect(iris.host, iris.port)      # whatever a test does with it
        ...

    @given(case=strategies.dialogues())
    def test_dialogues(iris, case):
        iris.play(case)

A test fails on any finding: a crash of any process, a client that was cut off, a node that is
gone, a law of the protocol that was broken. ``iris.play`` raises at once, so that Hypothesis makes
the case small; what a test does by other means is judged when it ends. Leaks take many plays to be
seen, and are left to campaigns. The Iris is started once and is well at the start of each test.

Without options it is the embedded reference Iris. Options, also for ``addopts`` in a project's
pytest settings: ``--iris-target HOST:PORT``, ``--iris-plant NAME``, ``--iris-allow-host HOST``,
and ``--iris-crashes FOLDER``, where the cases of findings are kept.

It is loaded by each pytest where iris-fuzz is installed: what takes time to import is imported
when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fuzz.watched import WatchedIris

_FIXTURE = "iris"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the Iris."""
    group = parser.getgroup("iris-fuzz")
    group.addoption(
        "--iris-target",
        default="embedded",
        metavar="embedded|HOST:PORT",
        help="the Iris that the fixture `iris` gives to tests: the reference (default), started "
        "for them, or a server that is running",
    )
    group.addoption(
        "--iris-plant",
        action="append",
        default=[],
        metavar="NAME",
        help="switch a planted defect on in the embedded Iris; may be repeated",
    )
    group.addoption(
        "--iris-allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="allow this host although it is not on the loopback interface",
    )
    group.addoption(
        "--iris-crashes",
        type=Path,
        metavar="FOLDER",
        help="keep the cases of findings here, for `iris-fuzz replay`",
    )


@pytest.fixture(scope="session", name=_FIXTURE)
def _iris(pytestconfig: pytest.Config) -> Iterator[WatchedIris]:
    """An Iris that runs and is watched; see :class:`fuzz.watched.WatchedIris`."""
    from fuzz.errors import IrisFuzzError
    from fuzz.settings import TargetSettings
    from fuzz.watched import WatchedIris

    option = pytestconfig.getoption
    try:
        settings = TargetSettings(
            option("--iris-target"),
            port=0,
            plants=tuple(option("--iris-plant")),
            allowed=tuple(option("--iris-allow-host")),
        )
        watched = WatchedIris(settings, option("--iris-crashes"))
        watched.start()
    except IrisFuzzError as error:
        pytest.fail(f"iris-fuzz: {error}", pytrace=False)
    try:
        yield watched
    finally:
        watched.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge what a test with the fixture has done, as the last thing in the test."""
    watched: WatchedIris | None = getattr(item, "funcargs", {}).get(_FIXTURE)
    try:
        result = yield
    except BaseException as error:  # whatever ended the test: it is raised again
        if watched is not None:
            for finding in watched.findings():
                error.add_note(f"and there is a finding: {finding.title}")
        raise
    if watched is not None:
        watched.check()
    return result

"""A plugin of pytest: the fixture ``iris`` is an Iris that runs, and is watched.

    from hypothesis import given, settings
    from fuzz.generate import strategies

    def test_a_client_of_mine(iris):
        client = connect(iris.host, iris.port)      # whatever a test does with it
        ...

    @settings(deadline=None)                        # silence takes seconds to be sure of
    @given(case=strategies.dialogues())
    def test_dialogues(iris, case):
        iris.play(case)

A test fails on any finding: a crash of any process, a client that was cut off, a node that is
gone, a law of the protocol that was broken. ``iris.play`` raises at once, so that Hypothesis makes
the case small; what a test does by other means is judged when it ends. Leaks take many plays to be
seen, and are left to campaigns. The Iris is started once and is well at the start of each test.

Without options it is the Iris of the table ``[target]`` in the ``iris-fuzz.toml`` of the project,
or the embedded reference Iris if there is none. Options, also for ``addopts`` in a project's pytest
settings: ``--iris-config FILE`` names another file, ``--iris-target HOST:PORT`` another server, and
``--iris-options "--node NAME --tls --tls-ca ca.pem"`` whatever else chooses a target in ``iris-fuzz
fuzz`` (see its ``--help``): start commands, nodes, edges, transports. ``--iris-plant NAME`` and
``--iris-allow-host HOST`` are as there, and the cases of findings are kept in ``--iris-crashes
FOLDER``. An embedded Iris is on a port that the system chooses.

It is loaded by each pytest where iris-fuzz is installed: what takes time to import is imported
when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fuzz.settings import TargetSettings
    from fuzz.watched import WatchedIris

_FIXTURE = "iris"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the Iris."""
    group = parser.getgroup("iris-fuzz")
    group.addoption(
        "--iris-target",
        metavar="embedded|HOST:PORT",
        help="the Iris that the fixture `iris` gives to tests: the reference, started for them, or "
        "a server that is running [default: that of --iris-config, or the reference]",
    )
    group.addoption(
        "--iris-config",
        type=Path,
        metavar="FILE",
        help="take the target from this file's table [target] [default: iris-fuzz.toml of the root "
        "folder, if there is one]",
    )
    group.addoption(
        "--iris-options",
        action="append",
        default=[],
        metavar="OPTIONS",
        help="options of `iris-fuzz fuzz` that choose a target, as one word: "
        "'--start \"make start\" --port 8085', or '--node NAME --tls'; may be repeated",
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
    from fuzz.watched import WatchedIris

    problem = ""
    try:
        settings = _settings(pytestconfig)
        watched = WatchedIris(settings, pytestconfig.getoption("--iris-crashes"))
        watched.start()
    except IrisFuzzError as error:
        problem = f"iris-fuzz: {error}"
    if problem:  # not while the error is handled: pytest would show both
        pytest.fail(problem, pytrace=False)
    try:
        yield watched
    finally:
        watched.stop()


def _settings(config: pytest.Config) -> TargetSettings:
    """Return the target that the options and the file choose; raise an error of the harness."""
    from fuzz.cli.config import CONFIG_NAME, read_config, target_defaults
    from fuzz.cli.target_options import target_of, words_of

    option = config.getoption
    target = option("--iris-target")
    words = [] if target is None else ["--target", target]
    words += [word for name in option("--iris-plant") for word in ("--plant", name)]
    words += [word for host in option("--iris-allow-host") for word in ("--allow-host", host)]
    words += [word for text in option("--iris-options") for word in words_of(text)]
    own = config.rootpath / CONFIG_NAME
    file = option("--iris-config") or (own if own.is_file() else None)
    return target_of(words, {} if file is None else target_defaults(read_config(file)))


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

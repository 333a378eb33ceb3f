"""The folder of a campaign belongs to one run at a time, and to one server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.settings import TargetSettings
from fuzz.store.campaign_folder import campaign_folder
from fuzz.store.timeline import read_timeline
from tests.store.support import fork, status_of

EMBEDDED = TargetSettings()
OWN = TargetSettings("127.0.0.1:8085")


def test_a_folder_is_made_and_says_whose_campaign_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "night"
    with campaign_folder(folder, TargetSettings(plants=("crash_alone",))):
        pass
    about = read_timeline(folder).about
    assert about["whose"] == "the embedded reference"
    assert about["target"] == "--plant crash_alone"


def test_one_that_is_in_use_is_refused_until_its_owner_ends_however_that_is(
    tmp_path: Path,
) -> None:
    reader, writer = os.pipe()

    def owns() -> None:
        with campaign_folder(tmp_path, EMBEDDED):
            os.write(writer, b".")
            signal.pause()

    owner = fork(owns)
    assert os.read(reader, 1) == b"."
    with pytest.raises(StoreError, match="is in use by a campaign that runs: wait for its end"):
        campaign_folder(tmp_path, EMBEDDED).__enter__()
    os.kill(owner, signal.SIGKILL)
    assert status_of(owner) == -signal.SIGKILL
    for descriptor in (reader, writer):
        os.close(descriptor)
    with campaign_folder(tmp_path, EMBEDDED):
        pass


@pytest.mark.parametrize(
    ("before", "after", "whose"),
    [(EMBEDDED, OWN, "the embedded reference"), (OWN, EMBEDDED, "an Iris of your own")],
)
def test_that_of_another_server_is_refused(
    before: TargetSettings, after: TargetSettings, whose: str, tmp_path: Path
) -> None:
    with campaign_folder(tmp_path, before):
        pass
    with pytest.raises(StoreError, match=f"holds a campaign against {whose}"):
        campaign_folder(tmp_path, after).__enter__()
    with campaign_folder(tmp_path, before):
        pass


def test_a_server_may_be_started_or_reached_otherwise_than_before(tmp_path: Path) -> None:
    for target in (OWN, TargetSettings("127.0.0.1:9085", rate=5.0)):
        with campaign_folder(tmp_path, target):
            pass
    assert read_timeline(tmp_path).about["target"] == "--target 127.0.0.1:9085"

"""The oracle of storms: all are served, get what is theirs, and nobody has to suffer for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from fuzz.evidence import STORED_MESSAGE, Evidence, Pulse, Rush
from fuzz.finding import CRASH, STORM, Finding, Kind
from fuzz.observation import NodeExit
from fuzz.oracles import judge
from tests.oracles.evidence_support import STATEM

SERVED = Rush("came back", 300, 1.25, 11.5)


def only(rush: Rush) -> Finding:
    (finding,) = judge(Evidence(pulse=Pulse.WELL, rushes=(SERVED, rush)))
    return finding


def test_a_rush_in_which_all_are_served_is_no_finding_even_at_a_second_try() -> None:
    served = (SERVED, replace(SERVED, again=20))
    assert judge(Evidence(pulse=Pulse.WELL, rushes=served)) == ()


@pytest.mark.parametrize(
    ("changes", "kind", "reason", "says"),
    [
        (
            {"waits": {"LOGIN_OK": 7, "a connection": 2, STORED_MESSAGE: 0}},
            Kind.HANG,
            "LOGIN_OK",
            "9 of 300 clients that came back at once were not served within 12 s: LOGIN_OK did",
        ),
        (
            {"waits": {STORED_MESSAGE: 5}},
            Kind.SEMANTIC,
            STORED_MESSAGE,
            "5 of 300 clients that came back at once did not get the message",
        ),
        ({"misled": 1}, Kind.SEMANTIC, "a message for another user", "1 of 300 clients"),
        ({"cut": 3}, Kind.LISTENER_RESTART, "cut off", "3 of 300 clients"),
        ({"bystanders": ("a client",)}, Kind.HANG, "bystanders", "a client was not answered"),
    ],
)
def test_what_is_wrong_with_a_rush_is_told_with_its_reason(
    changes: Mapping[str, object], kind: Kind, reason: str, says: str
) -> None:
    finding = only(replace(SERVED, **changes))  # type: ignore[arg-type]
    assert (finding.kind, finding.cause.what, finding.cause.reason) == (kind, STORM, reason)
    assert says in finding.title
    assert finding.evidence["rush"] == replace(SERVED, **changes).told()  # type: ignore[arg-type]


def test_a_crash_is_the_cause_of_being_cut_off() -> None:
    rush = replace(SERVED, cut=1)
    (finding,) = judge(Evidence(pulse=Pulse.WELL, events=(STATEM,), rushes=(rush,)))
    assert (finding.kind, finding.cause.what) == (Kind.LISTENER_RESTART, CRASH)


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (Evidence(pulse=Pulse.MUTE), Kind.APP_DOWN),
        (Evidence(pulse=Pulse.WELL, applications_lost=("iris_ref",)), Kind.APP_DOWN),
        (Evidence(node_silent=True), Kind.NODE_DOWN),
        (Evidence(node_exit=NodeExit(1, None)), Kind.NODE_DOWN),
    ],
)
def test_a_server_that_serves_nobody_any_more_is_told_as_that(
    evidence: Evidence, kind: Kind
) -> None:
    unserved = replace(SERVED, waits={"LOGIN_OK": 7}, cut=2)
    assert [finding.kind for finding in judge(replace(evidence, rushes=(unserved,)))] == [kind]

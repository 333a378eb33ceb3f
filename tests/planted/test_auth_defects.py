"""The planted defects of authentication, on a real node, against their law; and a clean one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz.case import Case
from fuzz.clock import SystemClock
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import Finding
from fuzz.generate.seeds import SEEDS
from fuzz.oracles.laws.auth import auth
from fuzz.rig import Rig
from fuzz.target import EmbeddedTarget
from fuzz.target.planted import planted_defects
from tests.planted.law_expectations import LAW_EXPECTED
from tests.planted.law_triggers import LAW_CASES

REASONS = {name: reason for name, (what, reason, _) in LAW_EXPECTED.items() if what == "auth"}

#: The seeds that show each defect as they are.
SHOWN_BY = {
    "alg_none": {"dialogue-login-token-unsigned"},
    "token_expired": {"dialogue-login-token-expired"},
    "token_subject": {"dialogue-login-token-of-another", "dialogue-login-token-other-subject"},
    "alg_other": {"dialogue-login-token-other-algorithm"},
    "signature_optional": {"dialogue-login-token-stripped"},
    "header_key": {"dialogue-login-token-own-key"},
    "kid_unknown": {"dialogue-login-token-unknown-key"},
    "exp_text": {"dialogue-login-token-endless-in-words"},
    "nbf_ignored": {"dialogue-login-token-early"},
    "token_revoked": {"dialogue-login-token-revoked"},
    # A seed does not wait until a token has expired.
    "token_replayed": set(),
    "jti_refused": {"dialogue-login-token-all-claims"},
}
#: Seeds whose token is good.
GOOD = {"dialogue-login-token-good", "dialogue-login-token-all-claims"}


def started(target: EmbeddedTarget) -> Rig:
    rig = Rig(target, SystemClock())
    rig.start()
    return rig


@pytest.fixture(scope="module")
def guarded() -> Iterator[Rig]:
    """A clean target that asks for tokens."""
    rig = started(EmbeddedTarget(0, options={"auth_enabled": "true"}))
    yield rig
    rig.stop()


def findings(rig: Rig, case: Case) -> list[Finding]:
    (observation,) = rig.play([case], CONFIRMING)
    assert observation.guard is not None
    return list(auth(observation))


def test_the_catalogue_says_which_defects_need_tokens() -> None:
    mine = {defect.name for defect in planted_defects() if defect.auth and not defect.edges}
    assert mine == set(REASONS)


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_defect_is_found_for_its_reason_by_its_trigger_and_its_seeds(name: str) -> None:
    rig = started(EmbeddedTarget(0, (name,)))
    try:
        (found,) = findings(rig, LAW_CASES[name][1])
        assert (found.cause.what, found.cause.reason) == ("auth", REASONS[name])
        shown = {seed for seed, case in SEEDS.items() if findings(rig, case)}
        assert shown == SHOWN_BY[name]
        assert rig.bystanders_well()
    finally:
        rig.stop()


@pytest.mark.parametrize("seed", sorted(SEEDS))
def test_on_a_clean_target_the_law_is_silent(guarded: Rig, seed: str) -> None:
    assert findings(guarded, SEEDS[seed]) == []


def test_a_login_that_names_a_user_alone_succeeds_where_tokens_are_asked_for(guarded: Rig) -> None:
    (observation,) = guarded.play([SEEDS["dialogue-seq-fifo"]], CONFIRMING)
    assert all(trace.replies().startswith(b"\x03LOGIN_OK") for trace in observation.traces)


@pytest.mark.parametrize("seed", sorted(set().union(*SHOWN_BY.values()) - GOOD))
def test_a_forged_token_is_refused_by_a_clean_target(guarded: Rig, seed: str) -> None:
    (observation,) = guarded.play([SEEDS[seed]], CONFIRMING)
    assert observation.traces[0].replies() == b"AUTH_FAILED"


@pytest.mark.parametrize("seed", sorted(GOOD))
def test_a_good_token_is_accepted_by_a_clean_target(guarded: Rig, seed: str) -> None:
    (observation,) = guarded.play([SEEDS[seed]], CONFIRMING)
    assert observation.traces[0].replies().startswith(b"\x03LOGIN_OK")


def test_where_no_token_is_asked_for_nothing_is_judged_and_logins_stay_bare() -> None:
    rig = started(EmbeddedTarget(0))
    try:
        (observation,) = rig.play([SEEDS["dialogue-seq-fifo"]], CONFIRMING)
        assert observation.guard is None
        assert b":" not in observation.traces[0].sent[0].data
    finally:
        rig.stop()

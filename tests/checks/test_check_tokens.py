"""The check of tokens: it finds each of its defects for the reason, and nothing else."""

from __future__ import annotations

import pytest

from fuzz.checks import tokens
from fuzz.checks.tokens import TOKENS
from fuzz.recipes import RECIPES
from tests.checks.making import asked, trials_of
from tests.planted.fingerprints import FINGERPRINTS

#: The reason by which the law knows each defect.
REASONS = {
    "alg_none": "alg none",
    "alg_other": "other alg",
    "signature_optional": "no signature",
    "header_key": "header key",
    "kid_unknown": "empty key",
    "token_subject": "sub",
    "token_expired": "expired",
    "exp_text": "no exp",
    "nbf_ignored": "nbf",
    "token_revoked": "revoked",
    "token_replayed": "expired meanwhile",
    "jti_refused": "good refused",
}


def test_the_defects_of_authentication_are_found_each_for_its_reason() -> None:
    """All on one target: each token has one thing wrong, and lets in by one of them.

    That each defect shows by itself is for the tests of the planted defects.
    """
    with trials_of(TOKENS, *REASONS) as trials:
        found = {(one.cause.what, one.cause.reason) for trial in trials for one in trial.findings}
    assert found == {("auth", reason) for reason in REASONS.values()}


def test_on_a_clean_target_each_kind_is_shown_and_nothing_is_wrong() -> None:
    trials = asked(TOKENS)
    assert [trial.name for trial in trials if trial.findings] == []
    shown = " ".join(trial.name for trial in trials)
    assert all(f"token {kind.decode()} over WebSocket" in shown for kind in RECIPES)


def test_clocks_that_are_off_by_five_seconds_are_no_finding_on_any_edge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "_PAST_MS", 0)  # a token that is past is asked for above
    with trials_of(TOKENS, edges=2, skew=5.0) as made:
        trials = list(made)
    assert [trial.name for trial in trials if trial.findings] == []
    assert {trial.case.edges() for trial in trials} == {2}
    assert len({trial.name for trial in trials}) == len(trials) > len(RECIPES)


def test_an_edge_that_takes_another_clock_for_its_own_is_found() -> None:
    with trials_of(TOKENS, "iat_ahead", edges=2, skew=5.0) as trials:
        found = next(trial for trial in trials if trial.findings)
    assert [finding.fingerprint for finding in found.findings] == [FINGERPRINTS["iat_ahead"]]
    assert found.name == "good token good"

"""The check of tokens: it finds each of its defects for the reason, and nothing else."""

from __future__ import annotations

from fuzz.checks.tokens import TOKENS
from fuzz.recipes import RECIPES
from tests.checks.making import asked, trials_of

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

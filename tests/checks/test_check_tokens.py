"""The check of tokens: it finds each of its defects for the reason, and nothing else."""

from __future__ import annotations

import pytest

from fuzz.checks.tokens import TOKENS
from fuzz.recipes import RECIPES
from tests.checks.making import asked, reasons

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


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_defect_of_authentication_is_found_for_its_reason(name: str) -> None:
    assert reasons(TOKENS, name, ("auth", REASONS[name])) == {("auth", REASONS[name])}


def test_on_a_clean_target_each_kind_is_shown_and_nothing_is_wrong() -> None:
    trials = asked(TOKENS)
    assert [trial.name for trial in trials if trial.findings] == []
    shown = " ".join(trial.name for trial in trials)
    assert all(f"token {kind.decode()} over WebSocket" in shown for kind in RECIPES)

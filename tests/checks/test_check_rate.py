"""The check of the rate limit: it finds each of its defects for the reason, and nothing else."""

from __future__ import annotations

import pytest

from fuzz.checks.rate import RATE
from tests.checks.making import asked, reasons

#: The reason by which the law knows each defect.
REASONS = {
    "bucket_off_by_one": "too early",
    "batch_unmetered": "not limited",
    "rate_per_connection": "per connection",
    "login_refills": "per login",
    "bucket_shared": "shared",
    "retry_zero": "no wait",
    "refill_slow": "refill too slow",
    "refill_fast": "refill too fast",
    "refused_delivered": "refused and delivered",
    "refused_silent": "not told",
    "refused_counted": "refused ones counted",
}


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_defect_of_the_rate_limit_is_found_for_its_reason(name: str) -> None:
    assert reasons(RATE, name, ("rate", REASONS[name])) == {("rate", REASONS[name])}


def test_on_a_clean_target_nothing_is_wrong() -> None:
    trials = asked(RATE)
    assert [trial.name for trial in trials if trial.findings] == []
    assert len({trial.name for trial in trials}) == len(trials) == 12

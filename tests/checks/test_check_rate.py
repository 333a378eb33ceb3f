"""The check of the rate limit: it finds each of its defects for the reason, and nothing else."""

from __future__ import annotations

import pytest

from fuzz.checks.rate import RATE
from tests.checks.making import asked, reasons

#: The reason by which the law knows each defect: of those that a campaign does not find, and of one
#: that takes two connections. All have their triggers in the tests of the planted defects.
REASONS = {
    "rate_per_connection": "per connection",
    "bucket_shared": "shared",
    "refill_slow": "refill too slow",
    "refused_counted": "refused ones counted",
}


@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_defect_of_the_rate_limit_is_found_for_its_reason(name: str) -> None:
    assert reasons(RATE, name, ("rate", REASONS[name])) == {("rate", REASONS[name])}


def test_on_a_clean_target_nothing_is_wrong() -> None:
    trials = asked(RATE)
    assert [trial.name for trial in trials if trial.findings] == []
    assert len({trial.name for trial in trials}) == len(trials) == 12

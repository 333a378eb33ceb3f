"""Checks: what a server owes its users, asked for on purpose.

To add one: write a module with a :class:`Check`, and add it to CHECKS.
"""

from __future__ import annotations

from fuzz.checks.base import CLIENTS, Check, Ground, Terms, Trial, ground_of
from fuzz.checks.golden import GOLDEN
from fuzz.checks.model import MODEL
from fuzz.checks.rate import RATE
from fuzz.checks.relations import RELATIONS_CHECK
from fuzz.checks.storm import STORM_CHECK
from fuzz.checks.tokens import TOKENS
from fuzz.errors import SettingsError

#: All checks, in the order in which they are made; those that need tokens come last anyhow.
CHECKS: tuple[Check, ...] = (MODEL, RELATIONS_CHECK, RATE, GOLDEN, STORM_CHECK, TOKENS)


def check_named(name: str) -> Check:
    """Return the check of that name; raise :class:`SettingsError` if there is none."""
    for check in CHECKS:
        if check.name == name:
            return check
    names = ", ".join(check.name for check in CHECKS)
    raise SettingsError(f"there is no check {name}; choose of {names}")


__all__ = ["CHECKS", "CLIENTS", "Check", "Ground", "Terms", "Trial", "check_named", "ground_of"]

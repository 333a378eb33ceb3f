"""Checks: what a server owes its users, asked for on purpose.

To add one: write a module with a :class:`Check`, and add it to CHECKS.
"""

from __future__ import annotations

from fuzz.checks.base import Check, Ground, Trial
from fuzz.checks.rate import RATE
from fuzz.checks.tokens import TOKENS

#: All checks, in the order in which they are made.
CHECKS: tuple[Check, ...] = (RATE, TOKENS)

__all__ = ["CHECKS", "Check", "Ground", "Trial"]

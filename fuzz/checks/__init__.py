"""Checks: what a server owes its users, asked for on purpose.

To add one: write a module with a :class:`Check`, and add it to CHECKS.
"""

from __future__ import annotations

from fuzz.checks.base import Check, Ground, Trial
from fuzz.checks.golden import GOLDEN
from fuzz.checks.model import MODEL

#: All checks, in the order in which they are made.
CHECKS: tuple[Check, ...] = (MODEL, GOLDEN)

__all__ = ["CHECKS", "Check", "Ground", "Trial"]

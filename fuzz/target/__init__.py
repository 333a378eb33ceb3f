"""Targets: what is fuzzed, and how it is started, watched and ended."""

from fuzz.target.attached import AttachedTarget
from fuzz.target.base import Address, Target, loopback_only
from fuzz.target.embedded import EmbeddedTarget

__all__ = ["Address", "AttachedTarget", "EmbeddedTarget", "Target", "loopback_only"]

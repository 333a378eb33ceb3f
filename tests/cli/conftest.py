"""Fixtures of the tests of the command line."""

from tests.cli.support import run

__all__ = ["run"]

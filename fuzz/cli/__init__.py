"""The command line: parse, wire together, exit codes."""

from fuzz.cli.main import main

__all__ = ["main"]

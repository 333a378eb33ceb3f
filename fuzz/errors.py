"""Everything the harness itself can refuse or fail at.

Each error carries one sentence for a person: what is wrong, and what to do about it.
The command line prints that sentence and ends with :attr:`IrisFuzzError.exit_code`; it
never prints a traceback for one of these. What a *target* does wrong is not an error but
a :class:`fuzz.finding.Finding`.
"""

from __future__ import annotations


class IrisFuzzError(Exception):
    """Root of the harness's own errors; ``exit_code`` is what the command ends with."""

    exit_code = 2


class CaseFileError(IrisFuzzError):
    """A case file is empty, truncated, too large or of another version."""


class UnplayableError(IrisFuzzError):
    """A case asks for what cannot be done with this target."""


class SettingsError(IrisFuzzError):
    """An option, or a combination of options, that cannot be carried out."""


class TargetError(IrisFuzzError):
    """A target did not start, could not be reached, or could not be brought back."""


class AgentError(IrisFuzzError):
    """The agent in the node refused us, speaks another version, or stopped answering."""


class AgentRefusalError(AgentError):
    """The agent will not, or cannot, do what it was asked; it stays usable."""


class StoreError(IrisFuzzError):
    """The corpus or the journal cannot be read or written."""


class HarnessFault(IrisFuzzError):
    """A fault of the harness itself: never a finding, and never silence."""

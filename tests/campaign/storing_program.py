"""``iris-fuzz fuzz --campaign FOLDER`` over the stand-in that stores: a program to be killed.

    python -c "from tests.campaign.storing_program import main; main()" FOLDER [CASES]

It is no ``-m``: the worker would import all of this once more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from fuzz.campaign import Campaign
from fuzz.cli.run import run_campaign
from fuzz.errors import IrisFuzzError
from fuzz.report.chronicle import Chronicle, Circumstances
from fuzz.report.summary import Summary
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store.campaign_folder import campaign_folder
from tests.campaign import storing_stand_in


def main() -> None:
    """Run a campaign as the verb does, and end with its exit code."""
    folder, *cases = sys.argv[1:]
    most = int(cases[0]) if cases else None
    settings = FuzzSettings(TargetSettings(), Path(folder), (), cases=most)
    console = Console(file=sys.stdout, width=120)
    try:
        with campaign_folder(settings.corpus, settings.target) as timeline:
            chronicle = Chronicle(timeline, settings.corpus, Circumstances("a stand-in"))
            campaign = Campaign(settings, worker_main=storing_stand_in.main)
            code = run_campaign(
                campaign, console, Summary(), None, settings.corpus, chronicle=chronicle
            )
    except IrisFuzzError as error:
        sys.stderr.write(f"iris-fuzz: {error}\n")
        code = error.exit_code
    sys.exit(code)

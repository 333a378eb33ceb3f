"""``iris-fuzz fuzz``: the main job."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from fuzz.campaign import Campaign, DecoderFirst
from fuzz.cli.config import Config
from fuzz.cli.meaning import meaning_in
from fuzz.cli.options import SHIPPED_CORPUS, corpus_option, shipped_or_own
from fuzz.cli.target_options import target_options
from fuzz.cli.telling import Telling, summary_options
from fuzz.cli.watching import Runs, Watching, watching_options
from fuzz.decoding import decoder_named
from fuzz.errors import IrisFuzzError
from fuzz.report.console import ConsoleReport, summary_lines
from fuzz.report.summary import Summary
from fuzz.report.text import say, width_of
from fuzz.settings import MAX_JOBS, MAXIMISABLE, FuzzSettings, TargetSettings

#: A decoder has shown most of what it has to show within seconds, at its rate: it is called for
#: this share of the time, for so many seconds at least and at most, and where a run has no end.
_DECODER_SHARE = 0.1
_DECODER_BOUNDS = (5.0, 60.0)
_DECODER_SECONDS = 30.0


@click.command(short_help="Fuzz a target, steered by the coverage of its BEAM.")
@target_options
@watching_options
@click.option("--time", "seconds", type=float, metavar="SECONDS", help="End after so long.")
@click.option("--cases", type=int, metavar="N", help="End after so many cases.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    default=1,
    show_default=True,
    metavar="N",
    help="Play with so many workers at once, each with an embedded target of its own. What one "
    "finds interesting is known to all; --rate holds for each.",
)
@click.option(
    "--until-finding",
    is_flag=True,
    help="End with the first finding that comes back when its case is played again.",
)
@corpus_option("Where crashes/, evolved/ and journal/ are kept.")
@click.option(
    "--seed-corpus",
    "seeds",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Start from the cases in this folder, which may be empty; may be repeated. "
    "[default: the shipped seeds, and what earlier runs found interesting]",
)
@click.option(
    "--no-feedback",
    is_flag=True,
    help="Measure coverage, but do not let it steer: blind mutation of the seeds.",
)
@click.option(
    "--maximise",
    type=click.Choice(MAXIMISABLE),
    help="Also prefer cases that make the target work more for each byte sent, or answer later. "
    "What costs most is told in the summary.",
)
@click.option(
    "--decoder",
    metavar="MODULE:FUNCTION/1",
    help="Call this function of the node directly first, for a tenth of the time, and go on from "
    "what was interesting there. `iris-fuzz decode --help` tells more.",
)
@click.option(
    "--seed", "random_seed", type=int, metavar="N", help="Seed of the mutator's random numbers."
)
@summary_options
@click.pass_obj
def fuzz(
    config: Config,
    target: TargetSettings,
    seconds: float | None,
    cases: int | None,
    jobs: int,
    until_finding: bool,
    corpus: Path,
    seeds: tuple[Path, ...],
    no_feedback: bool,
    maximise: str | None,
    decoder: str | None,
    random_seed: int | None,
    telling: Telling,
    watching: Watching,
) -> int:
    """Fuzz a target, steered by the coverage of its BEAM.

    Without --time, --cases or --until-finding it goes on until Ctrl-C, which ends it with
    the summary like any other end.

    \b
    Examples:
      iris-fuzz fuzz --time 60
      iris-fuzz fuzz --plant crash_alone --until-finding
      iris-fuzz fuzz --time 600 -j 4 --corpus /tmp/night --summary night.json
      iris-fuzz fuzz --start "make core" --start "make edge" --cwd ../iris
      iris-fuzz fuzz --attach 127.0.0.1:8085 --node iris_edge --exclude ranch
      iris-fuzz fuzz --time 600 --decoder iris_ref_proto:decode/1

    With --maximise cost, a case that costs more for each byte than any before (in reductions, or
    in the time until all is answered) is kept like one that reaches new code, and one mutation in
    eight starts from the costliest. It is slower: what may cost much is played alone.

    \b
    Files, in the folder that --corpus names:
      crashes/crash-SHA1       a case for each finding; what was seen is in .json
      evolved/                 cases that reached something new, for the next run
      decoder/                 the same of a decoder that was called directly
      journal/                 cases in flight, so that a kill loses none

    Elsewhere: compiled Erlang code in ~/.cache/iris-fuzz; data of nodes, in /dev/shm or /tmp.

    Exit codes: 0 nothing found (or known issues only), 1 findings, 2 could not run.
    """
    settings = FuzzSettings(
        target=target,
        corpus=corpus,
        seeds=seeds or default_seeds(corpus),
        dictionary=dictionary(),
        seconds=seconds,
        cases=cases,
        until_finding=until_finding,
        feedback=not no_feedback,
        random_seed=random_seed,
        maximise=maximise,
        jobs=jobs,
    )
    return run_told(_campaign(settings, decoder, config), telling, watching, corpus)


def run_told(campaign: Runs, telling: Telling, watching: Watching, corpus: Path) -> int:
    """Run ``campaign`` with all that watches it, tell of it, and return the exit code."""
    summary, console = Summary(telling.known), telling.console()
    try:
        with watching.over(campaign, summary, corpus, console) as watched:
            return run_campaign(watched, console, summary, telling.file)
    finally:
        telling.end(summary)


def _campaign(
    settings: FuzzSettings, decoder: str | None, config: Config
) -> Campaign | DecoderFirst:
    """Return the campaign; one that calls ``decoder`` first has less time for the rest."""
    if decoder is None:
        return Campaign(settings)
    seconds = _decoder_seconds(settings.seconds)
    first = replace(
        settings,
        decoder=decoder_named(decoder),
        meaning=meaning_in(config),
        seconds=seconds,
        cases=None,
        maximise=None,
        jobs=1,
    )
    left = None if settings.seconds is None else settings.seconds - seconds
    return DecoderFirst(first, replace(settings, seconds=left))


def _decoder_seconds(seconds: float | None) -> float:
    """Return for how long the decoder is called in a run of so many seconds."""
    if seconds is None:
        return _DECODER_SECONDS
    least, most = _DECODER_BOUNDS
    return min(max(_DECODER_SHARE * seconds, least), most, seconds / 2)


def run_campaign(
    campaign: Runs, console: Console, summary: Summary, summary_file: Path | None
) -> int:
    """Run ``campaign`` to its end, show it, and return the exit code."""
    report = ConsoleReport(summary, console)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        report.ending()
        campaign.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    failure: IrisFuzzError | None = None
    try:
        with report:
            for event in campaign.events():
                summary.take(event)
                report.take(event)
    except IrisFuzzError as error:
        failure = error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failure is None or summary.started is not None:
        say(console, summary_lines(summary, width_of(console)))
        if summary_file is not None:
            summary.write(summary_file)
    if failure is not None and not summary.findings:
        raise failure
    if failure is not None:
        click.echo(f"iris-fuzz: {failure}", err=True)
    return 1 if summary.failed() else 0


def default_seeds(corpus: Path) -> tuple[Path, ...]:
    """Return the folder's own seeds, or the shipped ones, and what evolved from them."""
    grown = (corpus / name for name in ("evolved", "decoder"))
    return (shipped_or_own(corpus, "seeds"), *(folder for folder in grown if folder.is_dir()))


def dictionary() -> Path | None:
    """Return the shipped dictionary, if it is there."""
    path = SHIPPED_CORPUS / "dictionaries" / "iris.dict"
    return path if path.is_file() else None

"""``iris-fuzz fuzz``: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from fuzz.campaign import Campaign, DecoderFirst
from fuzz.cli.config import Config
from fuzz.cli.follow import View
from fuzz.cli.meaning import meaning_in
from fuzz.cli.options import SHIPPED_CORPUS, Seconds, corpus_option, shipped_or_own
from fuzz.cli.run import chronicled, run_told
from fuzz.cli.target_options import target_options
from fuzz.cli.telling import Telling, summary_options
from fuzz.cli.watching import Watching, watching_options
from fuzz.decoding import decoder_named
from fuzz.errors import SettingsError
from fuzz.settings import MAX_JOBS, MAXIMISABLE, FuzzSettings, TargetSettings

#: A decoder has shown most of what it has to show within seconds, at its rate: it is called for
#: this share of the time, for so many seconds at least and at most, and where a run has no end.
_DECODER_SHARE = 0.1
_DECODER_BOUNDS = (5.0, 60.0)
_DECODER_SECONDS = 30.0

_HELP = """Fuzz a target, steered by the coverage of its BEAM.

Without --time, --cases, --until-finding or --until-stale it goes on until Ctrl-C, which ends
it with the summary like any other end. With --campaign too, each of these is for one start:
the totals of the campaign go on, and bound nothing.

\b
Examples:
  iris-fuzz fuzz --time 60
  iris-fuzz fuzz --plant crash_alone --until-finding
  iris-fuzz fuzz --time 600 -j 4 --corpus /tmp/night --summary night.json
  iris-fuzz fuzz --campaign night --until-stale 2h
  iris-fuzz fuzz --start "make core" --start "make edge" --cwd ../iris
  iris-fuzz fuzz --attach 127.0.0.1:8085 --node iris_edge --exclude ranch
  iris-fuzz fuzz --time 600 --decoder iris_ref_proto:decode/1

With --maximise cost, a case that costs more for each byte than any before (in reductions, or
in the time until all is answered) is kept like one that reaches new code, and one mutation in
eight starts from the costliest. It is slower: what may cost much is played alone.

\b
Files, in the folder that --corpus or --campaign names:
  crashes/crash-SHA1       a case for each finding; what was seen is in .json
  evolved/                 cases that reached something new, for the next run
  decoder/                 the same of a decoder that was called directly
  journal/                 cases in flight, so that a kill loses none
  timeline.sqlite          of a --campaign: what happened in all its runs

Elsewhere: compiled Erlang code in ~/.cache/iris-fuzz; data of nodes, in /dev/shm or /tmp.

Exit codes: 0 nothing found (or known issues only), 1 findings, 2 could not run.
"""


@click.command(help=_HELP)
@target_options
@watching_options
@click.option(
    "--time",
    "seconds",
    type=Seconds(),
    metavar="TIME",
    help="End after so long: 90 or 90s, 30m, 2h, 1h30m.",
)
@click.option("--cases", type=int, metavar="N", help="End after so many cases.")
@click.option(
    "--until-stale",
    type=Seconds(),
    metavar="TIME",
    help="End when nothing new has come for so long: no coverage that this run did not have, and "
    "no other finding.",
)
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
    "--view",
    type=click.Choice([view.value for view in View]),
    callback=lambda _context, _option, name: None if name is None else View(name),
    help="How it is shown: on a whole `screen` (q stops it, p pauses, Enter opens a finding), as a "
    "`status` below the findings, or as `lines`. [default: a screen on a terminal, else lines]",
)
@click.option(
    "--campaign",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep all of a long campaign in this folder, in the place of --corpus, with its history. "
    "The same command goes on with it, however the last run ended.",
)
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
    until_stale: float | None,
    jobs: int,
    until_finding: bool,
    corpus: Path,
    view: View | None,
    campaign: Path | None,
    seeds: tuple[Path, ...],
    no_feedback: bool,
    maximise: str | None,
    decoder: str | None,
    random_seed: int | None,
    telling: Telling,
    watching: Watching,
) -> int:
    """Run ``iris-fuzz fuzz``; return its exit code."""
    corpus = _place(corpus, campaign)
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
        until_stale=until_stale,
    )
    run = _campaign(settings, decoder, config)
    if campaign is None:
        return run_told(run, telling, watching, corpus, view)
    with chronicled(settings) as chronicle:
        return run_told(run, telling, watching, corpus, view, chronicle)


def _place(corpus: Path, campaign: Path | None) -> Path:
    """Return the folder that a run keeps its cases in."""
    if campaign is None:
        return corpus
    if click.get_current_context().get_parameter_source("corpus") is ParameterSource.COMMANDLINE:
        raise SettingsError("a campaign has its corpus in its folder: leave out --corpus")
    return campaign


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
        until_stale=None,
    )
    left = None if settings.seconds is None else settings.seconds - seconds
    return DecoderFirst(first, replace(settings, seconds=left))


def _decoder_seconds(seconds: float | None) -> float:
    """Return for how long the decoder is called in a run of so many seconds."""
    if seconds is None:
        return _DECODER_SECONDS
    least, most = _DECODER_BOUNDS
    return min(max(_DECODER_SHARE * seconds, least), most, seconds / 2)


def default_seeds(corpus: Path) -> tuple[Path, ...]:
    """Return the folder's own seeds, or the shipped ones, and what evolved from them."""
    grown = (corpus / name for name in ("evolved", "decoder"))
    return (shipped_or_own(corpus, "seeds"), *(folder for folder in grown if folder.is_dir()))


def dictionary() -> Path | None:
    """Return the shipped dictionary, if it is there."""
    path = SHIPPED_CORPUS / "dictionaries" / "iris.dict"
    return path if path.is_file() else None

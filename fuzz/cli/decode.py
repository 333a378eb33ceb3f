"""``iris-fuzz decode``: the server's decoder, called directly."""

from __future__ import annotations

from pathlib import Path

import click

from fuzz.campaign import Campaign
from fuzz.cli.config import Config
from fuzz.cli.fuzz import default_seeds, dictionary
from fuzz.cli.meaning import meaning_in
from fuzz.cli.options import Seconds, corpus_option
from fuzz.cli.run import run_told
from fuzz.cli.target_options import target_options
from fuzz.cli.telling import Telling, summary_options
from fuzz.cli.watching import Watching
from fuzz.decoding import decoder_named
from fuzz.settings import FuzzSettings, TargetSettings


@click.command()
@click.argument("decoder", metavar="MODULE:FUNCTION/1")
@target_options
@click.option("--time", "seconds", type=Seconds(), metavar="TIME", help="End after so long.")
@click.option("--cases", type=int, metavar="N", help="End after so many inputs.")
@click.option("--until-finding", is_flag=True, help="End with the first finding.")
@corpus_option("Where crashes/ and decoder/ are kept.")
@click.option(
    "--seed-corpus",
    "seeds",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Start from what the cases in this folder send; may be repeated. "
    "[default: the shipped seeds, and what earlier runs found interesting]",
)
@click.option(
    "--no-feedback", is_flag=True, help="Measure coverage, but do not let it steer the search."
)
@click.option(
    "--seed", "random_seed", type=int, metavar="N", help="Seed of the mutator's random numbers."
)
@summary_options
@click.pass_obj
def decode(
    config: Config,
    decoder: str,
    target: TargetSettings,
    seconds: float | None,
    cases: int | None,
    until_finding: bool,
    corpus: Path,
    seeds: tuple[Path, ...],
    no_feedback: bool,
    random_seed: int | None,
    telling: Telling,
) -> int:
    """Call a function of the node that takes a binary, tens of thousands of times a second.

    The agent in the node calls it with mutated frames, in a fresh process for each batch, and reads
    what each of them covers. What the function says (a frame and its length, more is needed, an
    error) is compared with what the grammar says of the same bytes. Each kind of disagreement is a
    finding, saved as the case of a client that sends them. `iris-fuzz replay` asks again.

    Known are {ok,Frame,Rest}, {Frame,Rest}, more, {more,N}, incomplete, {error,Reason} and error.
    Other answers are told in iris-fuzz.toml:

    \b
      [decoder]
      frame = "{frame, Frame, Rest}"   # or Size for the bytes that the frame has
      need_more = ["continue", "{wait, _}"]
      error = "{bad, _}"
      raises = "error"                 # it is meant to crash on such bytes
      names = { msg = "SEND_MESSAGE" } # where the protocol has other names

    \b
    Examples:
      iris-fuzz decode iris_ref_proto:decode/1 --time 30
      iris-fuzz decode iris_ref_proto:decode/1 --plant decode_greedy
      iris-fuzz fuzz --decoder iris_ref_proto:decode/1 --time 600

    \b
    Files, in the folder that --corpus names:
      crashes/crash-SHA1       a case for each finding; what was seen is in .json
      decoder/                 cases whose bytes reached something new

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
        decoder=decoder_named(decoder),
        meaning=meaning_in(config),
    )
    return run_told(Campaign(settings), telling, Watching(), corpus)

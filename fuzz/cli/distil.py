"""``iris-fuzz cmin`` and ``merge``: small corpora out of large ones, by what cases reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.distil.distil import Distilled, Distiller
from fuzz.distil.reader import Harm, Reader
from fuzz.report.text import say
from fuzz.settings import TargetSettings
from fuzz.store.corpus import Seeds, load_seeds
from fuzz.store.gathered import keep, new_folder, ready

_FOLDERS = click.Path(path_type=Path, file_okay=False)
_PLAYS = click.option(
    "--plays",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    metavar="N",
    help="How often each case is played: what differs between plays is reached by chance.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=_FOLDERS)
@click.option("--out", required=True, type=_FOLDERS, metavar="NEW", help="A new or empty folder.")
@_PLAYS
@_JSON
@target_options
def cmin(
    folders: tuple[Path, ...], out: Path, plays: int, as_json: bool, target: TargetSettings
) -> int:
    """Choose from the cases in FOLDERS the few that reach all that they all reach.

    Each is played alone on the target, and the coverage points that it hits are read, with the
    bucket of their counts (1, 2, 3, 4 to 7, 8 to 15, ...). Chosen are those that bring most for
    each byte; they are written to NEW, each under the SHA-1 of its bytes. What a case reaches in
    some plays only is asked of others that reach it in each. It does not matter which campaign or
    machine the cases come from. Without an agent in the target, the shape of the replies stands in
    for coverage.

    A case that does harm is left out and told, and the target is brought back. NEW is written
    when all are played.

    \b
    Examples:
      iris-fuzz cmin corpus/evolved --out corpus/small
      iris-fuzz cmin night/evolved day/evolved --out both --start "make start"

    Exit codes: 0 written, 1 written and some cases do harm, 2 could not run.
    """
    seeds = load_seeds(folders)
    new_folder(out)

    def work(distiller: Distiller) -> Distilled:
        made = distiller.distil(seeds)
        for one in made.kept:
            keep(out, one.data)
        return made

    return _run(work, "written to", seeds.problems, out, plays, as_json, target)


@click.command()
@click.argument("into", type=_FOLDERS)
@click.argument("others", nargs=-1, required=True, type=_FOLDERS, metavar="FROM...")
@_PLAYS
@_JSON
@target_options
def merge(
    into: Path, others: tuple[Path, ...], plays: int, as_json: bool, target: TargetSettings
) -> int:
    """Add to INTO those cases of other folders that reach something that its own do not.

    The cases of INTO are played first, then those of FROM, the smallest first. What is added
    reaches in each of its plays what no play of any case before it did; it is written at once,
    under the SHA-1 of its bytes. Nothing in INTO is changed or removed. As with cmin, the shape
    of the replies stands in for coverage without an agent, and a case that does harm is told and
    not added.

    \b
    Examples:
      iris-fuzz merge corpus/seeds night-1/evolved night-2/evolved
      iris-fuzz merge shared/corpus mine/evolved --json

    Exit codes: 0 merged, 1 merged and some cases do harm, 2 could not run.
    """
    own = load_seeds([into]) if into.exists() else Seeds(())
    seeds = load_seeds(others)
    ready(into)

    def work(distiller: Distiller) -> Distilled:
        return distiller.merge(own, seeds, lambda data: keep(into, data))

    problems = own.problems + seeds.problems
    return _run(work, "added to", problems, into, plays, as_json, target)


def _run(
    work: Callable[[Distiller], Distilled],
    done: str,
    problems: tuple[str, ...],
    place: Path,
    plays: int,
    as_json: bool,
    target: TargetSettings,
) -> int:
    """Let a distiller do its ``work`` on the target, tell what came of it, return the exit code."""
    console = screen()

    def harm(path: Path, harm: Harm) -> None:
        if not as_json:
            say(console, [Text(f"{path} is left out, for it does harm: {harm.sentence()}")])

    with started(target, console) as (rig, status):
        reader = Reader(rig, plays)

        def told(number: int, of: int, path: Path) -> None:
            status.update(Text(f"playing {number} of {of}: {path}"))

        made = work(Distiller(reader, told, harm))
    if as_json:
        click.echo(json.dumps(_told(made, problems, place, reader.blind), indent=2))
    else:
        say(console, [Text(f"not read: {problem}") for problem in problems])
        _say(console, made, f"{done} {place}", reader.blind)
    return 1 if made.harmful else 0


def _say(console: Console, made: Distilled, done: str, blind: bool) -> None:
    read = "shapes of replies, for there is no agent in the target" if blind else "features"
    chance = f", {made.by_chance} of them by chance only" if made.by_chance else ""
    size = sum(len(one.data) for one in made.kept)
    lines = (
        f"{made.played} cases of {made.size} bytes were played, {made.alike} more are alike; "
        f"they reach {made.features} {read}{chance}",
        f"{len(made.kept)} cases of {size} bytes are {done}",
    )
    say(console, map(Text, lines))


def _told(
    made: Distilled, problems: tuple[str, ...], place: Path, blind: bool
) -> dict[str, object]:
    return {
        "folder": str(place),
        "by": "replies" if blind else "coverage",
        "played": made.played,
        "bytes": made.size,
        "alike": made.alike,
        "features": made.features,
        "by_chance": made.by_chance,
        "kept": [
            {"from": str(one.path), "bytes": len(one.data), "features": one.features}
            for one in made.kept
        ],
        "harmful": [{"file": str(path), "why": harm.sentence()} for path, harm in made.harmful],
        "not_read": list(problems),
    }

"""The nodes of a fleet, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.beam.agent import Agent


@dataclass(slots=True)
class Member:
    """One node of a fleet: its agent, and whether it is an edge, which clients connect to.

    ``label`` is what it is called, ``lost`` why its agent cannot be asked any more.
    """

    agent: Agent
    edge: bool = True
    label: str = ""
    lost: str = ""
    #: What it told last; None if it was not asked yet.
    traffic: int | None = None
    reductions: int = 0
    #: The numbers of its points among those of all.
    numbers: tuple[int, ...] = ()


def labels(names: Sequence[str]) -> Sequence[str]:
    """Return what nodes are called: their names without the host, where that tells them apart.

    Where there is only one, it needs no name.
    """
    if len(names) == 1:
        return ("",)
    short = [name.partition("@")[0] for name in names]
    return short if len(set(short)) == len(names) else names


def said_by(member: Member, sentence: str) -> str:
    """Return ``sentence`` with the name of the node that it is about, if it has one."""
    return f"{member.label}: {sentence}" if member.label else sentence

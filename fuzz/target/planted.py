"""The planted defects of the embedded target, as its own table tells them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from fuzz.decoding import Decoder
from fuzz.erlang import clean_environment
from fuzz.errors import SettingsError, TargetError
from fuzz.target.reference_build import compile_reference

#: The decoder of the embedded target.
REFERENCE_DECODER = Decoder("iris_ref_proto", "decode")
#: Starting an emulator to read one table takes a quarter of a second.
_SECONDS = 30.0
_PRINT = (
    '[io:format("~s\\t~s\\t~s\\t~ts\\t~ts\\t~b\\t~b\\t~s\\t~s\\t~s\\t~b\\t~b~n",'
    " [Name, Kind, Trigger, Class, Truth, Connections, Frames, maps:get(auth, Entry, false),"
    ' maps:get(check, Entry, ""), maps:get(decoder, Entry, false), maps:get(edges, Entry, 0),'
    " maps:get(skew, Entry, 0)])"
    " || #{name := Name, kind := Kind, trigger := Trigger, class := Class, truth := Truth,"
    " connections := Connections, frames := Frames} = Entry <- iris_ref_plant:catalogue()],"
    " halt()."
)


@dataclass(frozen=True, slots=True)
class Planted:
    """One defect: its name, the kind of finding it must produce, its class, and the truth.

    ``trigger`` is the file in ``corpus/regressions`` that trips it, which takes so many
    ``connections`` and ``frames`` (besides LOGIN); with ``auth``, it shows only where LOGIN
    needs a token, so the target asks for one while it is on. ``check`` names the check that is to
    find it; where there is none, a campaign is, and one that calls the decoder directly if
    ``decoder`` says so. With ``edges``, it shows only in a cluster that has so many; with ``skew``,
    only where their clocks are off by so many seconds.
    """

    name: str
    kind: str
    trigger: str
    mistake: str
    truth: str
    connections: int
    frames: int
    auth: bool = False
    check: str = ""
    decoder: bool = False
    edges: int = 0
    skew: int = 0

    @property
    def engine(self) -> str:
        """Return what is to find it: ``campaign``, ``decoder``, or ``check:NAME``."""
        if self.decoder:
            return "decoder"
        return f"check:{self.check}" if self.check else "campaign"


def planted_defects() -> tuple[Planted, ...]:
    """Return all defects that the embedded target can be given."""
    command = ["erl", "-noshell", "-pa", str(compile_reference()), "-eval", _PRINT]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=clean_environment(),
            check=False,
            start_new_session=True,  # an interrupt is for us: erl would ask what to do
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"erl did not list the planted defects in {_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise TargetError(f"erl could not list the planted defects: {done.stderr.strip()[-200:]}")
    return tuple(_planted(*line.split("\t")) for line in done.stdout.splitlines())


def _planted(
    name: str,
    kind: str,
    trigger: str,
    mistake: str,
    truth: str,
    connections: str,
    frames: str,
    auth: str,
    check: str,
    decoder: str,
    edges: str,
    skew: str,
) -> Planted:
    return Planted(
        name, kind, trigger, mistake, truth, int(connections), int(frames), auth == "true", check,
        decoder == "true", int(edges), int(skew),
    )  # fmt: skip


def check_plants(names: tuple[str, ...], edges: int | None = None, skew: float = 0.0) -> None:
    """Raise :class:`SettingsError` if any of ``names`` is not a planted defect.

    So it is if one of them does not show with so many ``edges``, whose clocks are off by ``skew``
    seconds; without ``edges``, that does not matter.
    """
    if not names:
        return
    known = {planted.name: planted for planted in planted_defects()}
    for name in names:
        if name not in known:
            raise SettingsError(f"there is no planted defect {name}; choose of {', '.join(known)}")
        needed = known[name].edges
        if edges is not None and edges < needed:
            raise SettingsError(f"{name} shows only in a cluster: add --edges {needed}")
        apart = known[name].skew
        if edges is not None and skew < apart:
            raise SettingsError(f"{name} shows only where clocks differ: add --clock-skew {apart}")

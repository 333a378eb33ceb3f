"""What a decoder's answers mean, from the file of options."""

from __future__ import annotations

from fuzz.cli.config import Config
from fuzz.decoding import Meaning, meaning_of
from fuzz.errors import SettingsError

_TABLE = "decoder"


def meaning_in(config: Config) -> Meaning:
    """Return what the table ``[decoder]`` says, the default where there is none.

    Raises :class:`SettingsError` saying what is wrong with it.
    """
    try:
        return meaning_of(dict(config.table(_TABLE)))
    except SettingsError as error:
        raise SettingsError(f"{config.file}, [{_TABLE}]: {error}") from None

"""``iris-fuzz.toml``: options that need not be typed again.

A table is named after a verb and holds that verb's options by their long names; ``[target]`` holds
the options that choose a target, for every verb that has them. The command line wins::

    [target]
    start = ["make start_core", "make start_edge1"]
    port = 8085

    [fuzz]
    time = 600

Paths are relative to the file's folder, where start commands are run too. What a verb does not
know is an error, and not ignored: a misspelt option would otherwise be one that is silently not in
force.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fuzz.cli.target_options import TARGET_WORDS, declared
from fuzz.errors import SettingsError

CONFIG_NAME = "iris-fuzz.toml"
#: The table of what all verbs with a target share.
TARGET_TABLE = "target"
#: Tables that are no verb's: who needs one reads it from :class:`Config`.
_OTHER_TABLES = ("decoder",)


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says, table by table; ``file`` is None where there is none."""

    file: Path | None = None
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a table of the file, empty if it has none of that name."""
        return self.tables.get(name, {})


def read_config(file: Path | None) -> Config:
    """Return what ``file`` says; None looks for :data:`CONFIG_NAME` in the current folder.

    Raises :class:`SettingsError` for a file that cannot be read, or is no TOML.
    """
    if file is None:
        file = Path(CONFIG_NAME)
        if not file.is_file():
            return Config()
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} is no TOML: {error}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{file} nests too deep, or holds a number too long") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(
                f"{file}: {name} stands outside of a table; put it below [{TARGET_TABLE}] "
                "or below the name of a verb"
            )
    return Config(file, tables)


def defaults(config: Config, verbs: Mapping[str, click.Command], verb: str) -> dict[str, Any]:
    """Return what the parameters of ``verb`` are by default, for click's ``default_map``.

    Only verbs that have a table are read beside it. Those that are only the name of a group have no
    options. Raises :class:`SettingsError` for a table, an option or a value that nobody knows.
    """
    if config.file is None:
        return {}
    target, own = target_defaults(config), {}
    for name in config.tables:
        command = verbs.get(name)
        if name in (TARGET_TABLE, *_OTHER_TABLES):
            continue
        if command is None or isinstance(command, click.Group):
            known = (TARGET_TABLE, *(other for other in verbs if other != name), *_OTHER_TABLES)
            raise SettingsError(
                f"{config.file}: there is no verb {name}{_meant(name, known)}, so [{name}] is "
                "for nobody"
            )
        own[name] = _values(config, name, _own(command))
    return (target if _has_target(verbs[verb]) else {}) | own.get(verb, {})


def target_defaults(config: Config) -> dict[str, Any]:
    """Return what a file says of its target, by the names of the options; see :func:`defaults`."""
    values = _values(config, TARGET_TABLE, declared())
    if "commands" in values and config.file is not None:
        values.setdefault("folder", str(config.file.parent))
    return values


def _own(command: click.Command) -> list[click.Parameter]:
    return [param for param in command.params if isinstance(param, click.Option)]


def _has_target(command: click.Command) -> bool:
    """Tell whether a verb has all the options that choose a target."""
    return sum(param.name in TARGET_WORDS for param in _own(command)) == len(TARGET_WORDS)


def _values(config: Config, table: str, params: Iterable[click.Parameter]) -> dict[str, Any]:
    by_name = {_long(option): param for param in params for option in param.opts}
    values: dict[str, Any] = {}
    for key, value in config.table(table).items():
        param = by_name.get(key)
        if param is None:
            raise SettingsError(
                f"{config.file}: [{table}] has no option {key}{_meant(key, by_name)}; "
                "options have their long names here, without the dashes"
            )
        values[str(param.name)] = _value(config, table, key, param, value)
    return values


def _value(config: Config, table: str, key: str, param: click.Parameter, value: Any) -> Any:
    """Return ``value`` as click wants it; paths become those that the file means."""
    assert config.file is not None
    many = isinstance(param, click.Option) and param.multiple
    if many and not isinstance(value, list):
        value = [value]
    flag = isinstance(param, click.Option) and param.is_flag
    for one in value if many else [value]:
        wanted = _wanted(param.type, flag, one)
        if wanted:
            raise SettingsError(f"{config.file}: [{table}] {key} wants {wanted}, not {one!r}")
    if isinstance(param.type, click.Path):
        folder = config.file.parent
        value = [str(folder / v) for v in value] if many else str(folder / value)
    try:
        param.type_cast_value(click.Context(click.Command(table)), value)
    except click.BadParameter as error:
        raise SettingsError(f"{config.file}: [{table}] {key}: {error.message}") from None
    return value


def _wanted(kind: click.ParamType[Any], flag: bool, value: Any) -> str:
    """Return what an option wants in the place of ``value``, where click would take that."""
    if flag != isinstance(value, bool) or isinstance(value, (list, dict)):
        return "true or false" if flag else "one value"
    if isinstance(kind, click.Path) and not isinstance(value, str):
        return "a path"
    if isinstance(kind, (click.IntRange, type(click.INT))) and isinstance(value, float):
        return "a whole number"
    return ""


def _long(option: str) -> str:
    return option.removeprefix("--")


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (is {close[0]} meant?)" if close else ""

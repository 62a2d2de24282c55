"""Defaults of options that a project keeps in its ``pyproject.toml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from resilience_bench.cli.options import SETTABLE
from resilience_bench.errors import UserError
from resilience_bench.files.checked_json import CheckedFile, describe_value

FILE: Final = Path("pyproject.toml")
"""Where defaults stand, in the folder in which a command is typed."""
TOOL: Final = "resilience-bench"
REMEDY: Final = "correct the file, or leave the key out"


def read_defaults(path: Path, command: click.Command) -> dict[str, Any]:
    """Return the defaults of a command's options, by parameter, as click's ``default_map`` wants.

    They stand in ``[tool.resilience-bench.COMMAND]``, under the long names of the options without
    hyphens in front. Without the file or the table there are none. Paths are relative to the folder
    in which the command is typed.

    Raises:
        UserError: If the file is no TOML, a key is no option, or a value does not suit its option.
    """
    if not path.is_file():
        return {}
    source = CheckedFile(path, "the settings of a project", UserError, REMEDY, "TOML")
    tables = _get_table(source, source.parse_toml(source.read_content()), "tool")
    commands = _get_table(source, tables, TOOL, "tool.")
    for name in commands:
        if name not in SETTABLE:
            expected = ", ".join(SETTABLE)
            source.refuse(f"tool.{TOOL}.{name}", f"expected one of {expected}, found another name")
    name = command.name or ""
    where = f"tool.{TOOL}."
    stored = _get_table(source, commands, name, where)
    return _check_values(source, f"{where}{name}.", stored, command)


def _get_table(
    source: CheckedFile, parent: Mapping[str, Any], name: str, where: str = ""
) -> dict[str, Any]:
    table = parent.get(name, {})
    if not isinstance(table, dict):
        source.refuse(f"{where}{name}", f"expected a table, found {describe_value(table)}")
    return table


def _check_values(
    source: CheckedFile, where: str, stored: Mapping[str, Any], command: click.Command
) -> dict[str, Any]:
    options = {
        max(option.opts, key=len).removeprefix("--"): option
        for option in command.params
        if isinstance(option, click.Option)
    }
    defaults: dict[str, Any] = {}
    for key, value in stored.items():
        if key not in options:
            expected = ", ".join(sorted(options))
            source.refuse(where + key, f"expected one of {expected}, found another name")
        option = options[key]
        given = ",".join(value) if key == "signals" and _is_texts(value) else value
        if not _fits(option, given):
            expected = _describe_kind(option)
            source.refuse(where + key, f"expected {expected}, found {describe_value(value)}")
        try:
            # In a context of its own, because callbacks write into the context.
            option.process_value(click.Context(command), given)
        except click.UsageError as error:
            reason = error.message.removesuffix(".")
            source.refuse(
                where + key, f"expected what --{key} takes, found another value: {reason}"
            )
        defaults[str(option.name)] = given
    return defaults


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(member, str) for member in value)


def _fits(option: click.Option, value: object) -> bool:
    if option.is_flag:
        return isinstance(value, bool)
    if option.multiple:
        return _is_texts(value)
    if isinstance(option.type, click.types.FloatParamType):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value)
    return isinstance(value, str) and "\0" not in value


def _describe_kind(option: click.Option) -> str:
    if option.is_flag:
        return "true or false"
    if option.multiple:
        return "a list of texts"
    return "a finite number" if isinstance(option.type, click.types.FloatParamType) else "a text"

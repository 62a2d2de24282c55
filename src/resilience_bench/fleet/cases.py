"""Cases on their way to a host, and what a host must have to measure them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from resilience_bench._model import CaseInfo
from resilience_bench.environments.recipe import list_installed
from resilience_bench.fleet.block import pack, unpack
from resilience_bench.fleet.facts import Needs


def name_sources(cases: Sequence[CaseInfo]) -> tuple[str, ...]:
    """Return what every host must have of the scenario files: a file, or the folder at the top."""
    names: dict[str, None] = {}
    for info in cases:
        place = make_relative(Path(info.path))
        is_nested = not place.is_absolute() and len(place.parts) > 1
        names[place.parts[0] if is_nested else str(place)] = None
    return tuple(names)


def make_relative(path: Path) -> Path:
    """Return a path relative to the current folder, if it is below; hosts start in their own."""
    path = path.absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def make_needs(cases: Sequence[CaseInfo], signals: Sequence[str]) -> Needs:
    """Return what cases need of every host: the versions here of what they measure."""
    here = list_installed()
    names = sorted({name for info in cases for name in info.distributions})
    return Needs({name: here[name] for name in names if name in here}, signals)


def pack_cases(cases: Sequence[CaseInfo]) -> list[Any]:
    """Return cases as JSON can hold them, with the paths of their files as hosts have them."""
    return [pack(_move_paths(info, lambda path: str(make_relative(path)))) for info in cases]


def unpack_cases(packed: Sequence[Any]) -> list[CaseInfo]:
    """Return packed cases, with absolute paths on this host."""
    found = (unpack(one, CaseInfo) for one in packed)
    return [_move_paths(info, lambda path: str(path.absolute())) for info in found]


def _move_paths(info: CaseInfo, move: Callable[[Path], str]) -> CaseInfo:
    payloads = tuple(
        replace(payload, path=move(Path(payload.path))) if payload.path else payload
        for payload in info.real_payloads
    )
    return replace(info, path=move(Path(info.path)), real_payloads=payloads)

"""``releases --watch``: what the newer releases of a requirements file would cost."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from packaging.utils import canonicalize_name

from resilience_bench._model import CaseInfo, Signal
from resilience_bench._verdicts import Judgement
from resilience_bench.cli import compare_sides, options
from resilience_bench.cli.console import make_console
from resilience_bench.cli.measuring import Measurable, require_signals
from resilience_bench.environments import requirement_files
from resilience_bench.errors import UserError, VariantError, format_amount
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import Selection, select
from resilience_bench.measure.shared_path import SharedPath, create_shared_path
from resilience_bench.releases import index, watch, watch_table
from resilience_bench.releases.watch import Watched
from resilience_bench.report import judgement_table


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What ``--watch`` was asked for: a requirements file, and how to measure."""

    path: Path
    selectors: tuple[str, ...]
    signals: tuple[Signal, ...] | None
    tolerances: Mapping[str, float]
    seconds: float
    pythons: tuple[str, ...]
    output: Path | None
    is_strict: bool


def watch_releases(launcher: Launcher, request: WatchRequest) -> int:
    """Show the newer releases of a requirements file and what each costs; return the exit code.

    That is the one of `compare` over all of them: 1 if a newer release costs more, 2 if there are
    some but none could be measured.
    """
    file = requirement_files.read(request.path)
    # pip reads these variables, when it lists releases and when it installs them.
    os.environ.update(watch.collect_pip_settings(file, request.path.parent))
    selection = select(launcher, request.selectors, gated=True)
    settings = index.read_pip_settings()
    watched = watch.find_newer(
        file,
        partial(index.list_releases, settings=settings),
        lambda name: len(_select_cases(name, selection)),
    )
    newer = [one for one in watched if one.has_newer and one.cases]
    judgements, reasons = _measure(request, newer, selection) if newer else ({}, {})
    console = make_console()
    watch_table.render(watched, judgements, reasons, console)
    for one in newer:
        if one.name in judgements:
            click.echo(f"\n{one.name} {one.current} (BASE) against {one.newest} (HEAD)")
            judgement_table.render(judgements[one.name], console)
    click.echo(_summarise(request.path, watched, newer, judgements))
    if newer and not judgements:
        return options.NOTHING_DONE
    codes = [compute_exit_code(one, strict=request.is_strict) for one in judgements.values()]
    return next((code for code in (1, 2, 3) if code in codes), options.OK)


def _select_cases(package: str, selection: Selection) -> list[CaseInfo]:
    return [
        info
        for info in selection.cases
        if package in {canonicalize_name(name) for name in info.distributions}
    ]


def _measure(
    request: WatchRequest, newer: Sequence[Watched], selection: Selection
) -> tuple[dict[str, Judgement], dict[str, str]]:
    """Compare each newer release with the current one; return why some cannot be, too."""
    measurable = require_signals(request.signals)
    folder = request.output or options.build_output_path("watch").with_suffix("")
    judgements, reasons = {}, {}
    with create_shared_path() as shared:
        for one in newer:
            cases = Selection(tuple(_select_cases(one.name, selection)), ())
            try:
                judgements[one.name] = _compare(
                    request, one, cases, (shared, measurable, folder / one.name)
                )
            except VariantError as error:
                reasons[one.name] = str(error)
    return judgements, reasons


def _compare(
    request: WatchRequest,
    one: Watched,
    cases: Selection,
    place: tuple[SharedPath, Measurable, Path],
) -> Judgement:
    shared, measurable, folder = place
    texts = [f"pip:{one.name}=={version}" for version in (one.current, one.newest)]
    python = request.pythons[0] if request.pythons else None
    base, head = compare_sides.make_variants(texts, (python, python), cases, None)
    setting = compare_sides.Setting(
        shared, cases, measurable, folder, request.seconds, request.tolerances, ()
    )
    return compare_sides.judge_pair(setting, base, head)[0]


def _summarise(
    path: Path,
    watched: Sequence[Watched],
    newer: Sequence[Watched],
    judgements: Mapping[str, Judgement],
) -> str:
    """Say in a line how many releases are newer, and how many of them cost more."""
    found = [one for one in watched if one.has_newer]
    if not found:
        return f"{path}: nothing newer for {format_amount(len(watched), 'package')}"
    costlier = sum(
        any(verdict.outcome == "regressed" for verdict in one.verdicts)
        for one in judgements.values()
    )
    return (
        f"{path}: {len(found)} of {len(watched)} packages have a newer release, "
        f"{len(judgements)} of {len(newer)} that cases need were measured, {costlier} cost more"
    )


def ensure_watchable(path: Path, refused: Mapping[str, object]) -> None:
    """Refuse what has no meaning beside ``--watch``."""
    given = [name for name, value in refused.items() if value]
    if given:
        raise UserError(
            f"--watch {path} with {' and '.join(given)}: it compares what the file installs with "
            f"the newest releases; leave out {' and '.join(given)}"
        )

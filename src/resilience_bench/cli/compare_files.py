"""``compare`` with two results files: nothing is measured, and less can be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from resilience_bench._model import Result, Signal
from resilience_bench._verdicts import Judgement, Tolerance
from resilience_bench.cli import options, verdict_output
from resilience_bench.errors import UserError
from resilience_bench.files import results
from resilience_bench.gate import stored_runs
from resilience_bench.gate.check import add_defects, make_case_filter
from resilience_bench.quantities import LEARNED_WIDTHS
from resilience_bench.report.circumstances import describe_circumstances

ENDING: Final = ".json"
MEASURING_OPTIONS: Final = (
    "project",
    "seconds",
    "output",
    "base_python",
    "head_python",
    "save",
    "load",
)
"""Options that only have a meaning where something is measured."""
ANOTHER_DAY: Final = (
    "nothing was measured: ranges are as wide as a baseline's, and there is no null control; for "
    "small changes compare two variants"
)


def are_results_files(base: str, head: str) -> bool:
    """Return whether both are results files; UserError if one is, and the other a variant."""
    are_files = [text.endswith(ENDING) for text in (base, head)]
    if any(are_files) and not all(are_files):
        file, variant = (base, head) if are_files[0] else (head, base)
        raise UserError(
            f"{file} is a results file and {variant} a variant; type two results files, two "
            f"variants such as '.' and 'git:HEAD~1', or 'compare {variant} --load {file}'"
        )
    return all(are_files)


@dataclass(frozen=True, slots=True)
class Rules:
    """What two runs are judged by.

    ``tolerances`` are those that were typed, as shares by quantity, ``written`` those of the file
    of budgets.
    """

    selectors: Sequence[str]
    tolerances: Mapping[str, float]
    written: Sequence[Tolerance]
    signals: Sequence[Signal] | None


def judge_files(
    context: click.Context, base_text: str, head_text: str, rules: Rules, shown: dict[str, Any]
) -> int:
    """Judge HEAD's file by BASE's and print what can be said; return the exit code."""
    _refuse_measuring_options(context)
    base, head = results.read(Path(base_text)), results.read(Path(head_text))
    if verdict_output.hold_outages_only([base, head]):
        return verdict_output.show_outages("compare", f"{base_text} and {head_text}", shown)
    if base == head:
        raise UserError(f"{base_text} and {head_text} are the same run; type the files of two runs")
    headline = (f"{base_text} (BASE) against {head_text} (HEAD)", ANOTHER_DAY)
    judgement = replace(judge_results(base, head, base_text, head_text, rules), headline=headline)
    return verdict_output.show_judgement(judgement, shown, with_changes=True)


def judge_results(
    base: Result, head: Result, base_text: str, head_text: str, rules: Rules
) -> Judgement:
    """Judge HEAD's run by BASE's, as runs of different hours."""
    is_judged = make_case_filter(head, rules.selectors, head_text)
    if not {record.case.name for record in base.cases} & {
        record.case.name for record in head.cases if is_judged(record.case.name)
    }:
        raise UserError(
            f"{base_text} has none of the cases of {head_text}; "
            "measure both with the same selectors"
        )
    chosen = stored_runs.select_comparable_signals(head, base, rules.signals)
    if rules.signals:
        head = replace(head, signals=chosen)
    widths = {**LEARNED_WIDTHS, **rules.tolerances}
    judgement = stored_runs.judge_runs(
        head,
        base,
        tolerances=widths,
        is_judged=is_judged,
        names=stored_runs.SIDES,
        written=rules.written,
    )
    return replace(
        add_defects(judgement, head),
        title="compare",
        notes=(*describe_circumstances(base, head), *judgement.notes),
    )


def _refuse_measuring_options(context: click.Context) -> None:
    for name in MEASURING_OPTIONS:
        if options.was_typed(context, name):
            raise UserError(
                f"two results files are compared without measuring; leave out "
                f"--{name.replace('_', '-')}"
            )

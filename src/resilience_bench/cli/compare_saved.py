"""``compare --save`` and ``--load``: one side is kept in a file, and compared on another day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from resilience_bench import _model
from resilience_bench._model import Result, Signal
from resilience_bench._verdicts import Judgement
from resilience_bench.cli import compare_files
from resilience_bench.cli.compare_sides import HEAD, Setting, show_note
from resilience_bench.cli.measuring import measure_variants
from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, format_amount
from resilience_bench.files import results
from resilience_bench.gate import stored_runs
from resilience_bench.measure import interleave
from resilience_bench.measure.interleave import MeasuredVariant
from resilience_bench.measure.selection import Selection
from resilience_bench.quantities import COUNT_SIGNALS
from resilience_bench.worker.reference import REFERENCE_VERSION

PROCESSES: Final = 3
"""A saved side has counts of this many processes: fewer do not prove a small step."""
COUNTED: Final[Mapping[str, type[_model.InstructionRecord | _model.AllocationRecord]]] = {
    "instructions": _model.InstructionRecord,
    "allocations": _model.AllocationRecord,
}
ANOTHER_DAY: Final = (
    "BASE was not measured again: ranges are as wide as a baseline's, and there is no null "
    "control; for small changes compare two variants"
)


@dataclass(frozen=True, slots=True)
class Saved:
    """BASE as a file has it, which `save` or another measuring command wrote."""

    file: Path
    result: Result

    def select_cases(self, selection: Selection) -> Selection:
        """Leave out the cases that the file does not have; UserError if none is left."""
        there = {record.case.name for record in self.result.cases}
        cases = tuple(info for info in selection.cases if info.case.name in there)
        if not cases:
            raise UserError(
                f"{self.file} has none of the selected cases; expected one of "
                f"its {format_amount(len(there), 'case')}; type "
                f"'resilience-bench show {self.file}' to see them"
            )
        return Selection(cases, selection.problems)

    def select_signals(
        self, variant: Variant, wanted: Sequence[Signal] | None
    ) -> tuple[Signal, ...]:
        """Return the signals that the file has and that compare with a variant here.

        ForeignResultError, before anything is measured, if none does or one that was asked for
        does not.
        """
        environment = variants.query_environment(variant)
        here = replace(self.result, environment=environment, reference_version=REFERENCE_VERSION)
        return stored_runs.select_comparable_signals(here, self.result, wanted)


def read(file: Path, base_python: str | None) -> Saved:
    """Read BASE from a file; UserError if it is to have an interpreter all the same."""
    if base_python:
        raise UserError(
            f"{file} is BASE, which is not measured again; leave out --base-python, or --load"
        )
    return Saved(file, results.read(file))


def save(side: MeasuredVariant, file: Path) -> None:
    """Count what was counted in fewer than `PROCESSES` processes, and write the side to a file."""
    show_note(f"counting what {file} still lacks")
    measure_missing_counts(side)
    results.write(side.recording.write(complete=True), file)


def measure_missing_counts(side: MeasuredVariant) -> None:
    """Count every case in as many processes as `PROCESSES`."""
    for signal in side.recording.signals:
        if signal not in COUNT_SIGNALS:
            continue
        counted: Signal = "instructions" if signal == "instructions" else "allocations"
        for index in range(PROCESSES):
            done = {
                name
                for record in side.recording.select(COUNTED[signal])
                if record.index == index
                for name in record.operations
            }
            missing = side.session.records.keys() - done
            for _ in side.measure([counted], index, missing) if missing else ():
                pass


def judge_by_saved(
    setting: Setting, saved: Saved, head: Variant
) -> tuple[Judgement, MeasuredVariant]:
    """Measure HEAD, and judge it by the file, as two runs of different hours."""
    side = setting.prepare(head, HEAD)
    signals = setting.measurable[0]
    [measured] = measure_variants(
        interleave.measure_interleaved([side], signals),
        [side],
        f"measuring {format_amount(len(setting.selection.cases), 'case')}",
        {"": side.count_visits(signals)},
        lambda _, done: ("", done.signal),
    )
    if not measured.complete:
        click.echo(f"interrupted; what was measured is in {setting.get_file(HEAD)}", err=True)
        raise click.Abort
    measure_missing_counts(side)
    measured = side.recording.write(complete=True)
    rules = compare_files.Rules((), setting.tolerances, setting.written, signals)
    judgement = compare_files.judge_results(
        saved.result, measured, str(saved.file), head.text, rules
    )
    return replace(judgement, headline=(ANOTHER_DAY,)), side

"""Judges cases by a baseline and budgets: the deciding half of ``check``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseRecord, Environment, Result
from resilience_bench._verdicts import Baseline, Budget, Judgement, Tolerance
from resilience_bench.errors import (
    UnreadableBaselineError,
    UserError,
    format_amount,
    format_names,
)
from resilience_bench.gate import baseline as baselines
from resilience_bench.gate import budgets as budget_files
from resilience_bench.gate import criteria
from resilience_bench.gate.baseline import LEARN
from resilience_bench.gate.evidence import EvidenceSource
from resilience_bench.gate.tolerances import (
    apply_tolerances,
    describe_tolerances,
    read_tolerances,
)
from resilience_bench.gate.trial import Criterion, Policy
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.project import find_baselines_folder
from resilience_bench.quantities import BUDGETED, SIGNALS_JUDGED
from resilience_bench.scenarios.stored_cases import select_stored_names
from resilience_bench.stats.correctness import collect_tallies, describe_defect, find_defects

CaseFilter = Callable[[str], bool]
"""Whether the case of this name is judged."""
NONE: Final = "none"
"""In place of the file of a baseline: judge by budgets alone."""


def find_budgets(path: Path | None) -> Sequence[Budget]:
    """Read the budgets of a file, by default those beside the baselines, if there are any."""
    if path is None and not get_budgets_path().exists():
        return ()
    return budget_files.read_budgets(path or get_budgets_path())


def find_tolerances(path: Path | None) -> Sequence[Tolerance]:
    """Read the tolerances of a file of budgets, which `find_budgets` finds."""
    if path is None and not get_budgets_path().exists():
        return ()
    return read_tolerances(path or get_budgets_path())


def get_budgets_path() -> Path:
    """Return the default file of budgets."""
    return find_baselines_folder() / "budgets.toml"


@dataclass(frozen=True, slots=True)
class Limits:
    """The criteria of a check: a baseline, if there is one, budgets, and wider ranges."""

    headline: str
    baseline: Baseline | None
    budgets: Sequence[Budget]
    signals: Sequence[str]
    tolerances: Sequence[Tolerance] = ()
    is_asked: bool = False
    """Whether the user has named the signals."""


def find_limits(
    here: Environment,
    reference_version: int,
    signals: Sequence[str] | None,
    baseline_file: Path | None,
    budgets_file: Path | None,
) -> Limits:
    """Find the baseline and the budgets to judge by, and the signals that they judge.

    None means all signals, the baseline of the environment ``here`` (`NONE` means none), and the
    budgets beside the baselines. If budgets are named, they alone are judged where there is no
    baseline. UserError if a file is missing or cannot be read, or if nothing may be compared.
    """
    budgets, tolerances = find_budgets(budgets_file), find_tolerances(budgets_file)
    path = _find_baseline_path(baseline_file, budgets_file, here)
    if path is None:
        limited = {BUDGETED[budget.quantity].signal for budget in budgets}
        wanted = signals or [signal for signal in SIGNALS if signal in limited]
        reason = "as asked for" if baseline_file else "for there is no baseline of this environment"
        headline = f"budgets alone are judged, {reason}: {budgets_file or get_budgets_path()}"
        return Limits(headline, None, budgets, wanted, is_asked=bool(signals))
    baseline = baselines.read(path)
    wanted = baselines.select_comparable(baseline, here, reference_version, signals)
    headline = f"baseline {path}, learned {baseline.learned}"
    return Limits(headline, baseline, budgets, wanted, tolerances, bool(signals))


def _find_baseline_path(
    named: Path | None, budgets_file: Path | None, here: Environment
) -> Path | None:
    """Return the baseline; None for `NONE`, and where there is none but budgets were named."""
    if named == Path(NONE):
        return None
    try:
        return named or baselines.find(find_baselines_folder(), here)
    except UnreadableBaselineError:
        if budgets_file is None:
            raise
        return None


def make_case_filter(result: Result, selectors: Sequence[str], file: str) -> CaseFilter:
    """Make the filter of the cases that selectors mean; all for the path of a scenario file.

    NotInFileError, which names the ``file`` of the result, if a pattern matches none of its cases.
    """
    patterns = [selector for selector in selectors if not Path(selector).exists()]
    if not patterns:
        return accept_every_case
    return select_stored_names(result, patterns, file).__contains__


def accept_every_case(_name: str) -> bool:
    """Accept every case."""
    return True


def judge_cases(source: EvidenceSource, limits: Limits, chosen: CaseFilter) -> Judgement:
    """Judge the chosen cases; UserError if baseline and budgets have no criterion for them."""
    policy = Policy()
    wanted: list[Criterion] = []
    if limits.baseline:
        learned = criteria.make_baseline_criteria(limits.baseline, limits.signals, chosen)
        wanted += apply_tolerances(learned, limits.tolerances, may_narrow=False)
    records = _select_records(source, chosen)
    wanted += criteria.make_budget_criteria(limits.budgets, limits.signals, records)
    if not wanted:
        files = "the baseline and the budgets say" if limits.baseline else "the budgets say"
        raise UserError(
            f"{files} nothing of the selected cases; {LEARN}, or write a budget of them"
        )
    verdicts = criteria.select_relevant(criteria.judge(wanted, source, policy), source.cases)
    notes = _make_notes(limits, _select_records(source, chosen), chosen)
    headline = criteria.make_headline(policy, verdicts)
    return Judgement("check", (headline,), tuple(verdicts), tuple(notes))


def add_defects(judgement: Judgement, result: Result) -> Judgement:
    """Add the defects under load: a fast wrong answer is no good result, nor is its scaling."""
    cases = dict.fromkeys(verdict.case for verdict in judgement.verdicts)
    defects = {case: list(find_defects(collect_tallies(result.loads, case))) for case in cases}
    wrong_runs = {
        case: describe_defect(defect)
        for case, found in defects.items()
        for defect in found
        if defect.kind in {"surplus runs", "missing runs"}
    }
    # Whatever skips calls gets more of them done.
    verdicts = tuple(
        replace(verdict, outcome="inconclusive", reason=wrong_runs[verdict.case])
        if verdict.case in wrong_runs
        and verdict.signal == "scaling"
        and verdict.outcome in {"within", "improved"}
        else verdict
        for verdict in judgement.verdicts
    )
    notes = [
        f"{case}: {describe_defect(defect)}" for case, found in defects.items() for defect in found
    ]
    return replace(judgement, verdicts=verdicts, notes=(*judgement.notes, *notes))


def _select_records(source: EvidenceSource, chosen: CaseFilter) -> list[CaseRecord]:
    return [record for name, record in source.cases.items() if chosen(name)]


def _make_notes(limits: Limits, records: Sequence[CaseRecord], chosen: CaseFilter) -> list[str]:
    """Describe what was not judged: signals, cases without a range, budgets without a case.

    That a budget is about cases that nobody selected needs no word.
    """
    left_out = [signal for signal in SIGNALS_JUDGED if signal not in limits.signals]
    why = "not among --signals" if limits.is_asked else "no budget limits them"
    notes = [f"not judged, because {why}: {', '.join(left_out)}"] if left_out else []
    if limits.baseline and (missing := criteria.find_cases_without_range(records, limits.baseline)):
        have = "has" if len(missing) == 1 else "have"
        notes.append(
            f"{format_amount(len(missing), 'measured case')} {have} no range yet "
            f"({format_names(missing)}); {LEARN}"
        )
    if limits.baseline:
        notes += describe_tolerances(limits.tolerances, [record.case.name for record in records])
    cases = [record.case for record in records]
    unmatched = budget_files.find_unmatched(limits.budgets, cases)
    if unmatched and chosen is accept_every_case:
        notes.append(f"budgets that match no case: {format_names([*map(repr, unmatched)])}")
    return notes

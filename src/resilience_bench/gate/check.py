"""What a results file is held against, and how it comes out: the deciding half of ``check``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._model import (
    Baseline,
    Budget,
    CaseRecord,
    Environment,
    Judgement,
    Result,
    Verdict,
)
from resilience_bench.errors import UnknownSelectorError, UnreadableBaselineError, UserError
from resilience_bench.files.checked_json import format_names
from resilience_bench.gate import baseline as baselines
from resilience_bench.gate import budgets as budget_files
from resilience_bench.gate.baseline import LEARN
from resilience_bench.gate.budgets import find_unmatched
from resilience_bench.gate.criteria import (
    find_cases_without_range,
    judge,
    make_baseline_criteria,
    make_budget_criteria,
    make_headline,
    select_relevant,
)
from resilience_bench.gate.decide import Criterion, Policy
from resilience_bench.gate.evidence import EvidenceSource
from resilience_bench.measure.counting import SIGNALS
from resilience_bench.project import find_baselines_folder
from resilience_bench.quantities import BUDGETED, SIGNALS_JUDGED
from resilience_bench.scenarios.patterns import matches
from resilience_bench.stats.correctness import (
    collect_tallies,
    describe_defect,
    find_defects,
)

CaseFilter = Callable[[str], bool]
"""Whether the case of this name is judged."""
NONE: Final = "none"
"""Instead of the file of a baseline: budgets alone are judged."""


def find_budgets(path: Path | None) -> Sequence[Budget]:
    """The budgets of a file, by default those beside the baselines, if there are any."""
    if path is None and not get_budgets_path().exists():
        return ()
    return budget_files.read_budgets(path or get_budgets_path())


def get_budgets_path() -> Path:
    """Where budgets stand if nothing else is said."""
    return find_baselines_folder() / "budgets.toml"


@dataclass(frozen=True, slots=True)
class Limits:
    """What cases are held against; without a baseline it is budgets alone."""

    headline: str
    baseline: Baseline | None
    budgets: Sequence[Budget]
    signals: Sequence[str]


def find_limits(
    here: Environment,
    reference_version: int,
    signals: Sequence[str] | None,
    baseline_file: Path | None,
    budgets_file: Path | None,
) -> Limits:
    """Find out what is to be judged where, and by which ranges and budgets.

    Args:
        here: Where is measured.
        reference_version: The version of the reference that is measured.
        signals: Those that were asked for; None for all.
        baseline_file: The baseline; None for that of this environment, `NONE` for none.
        budgets_file: The budgets; None for those beside the baselines. If it is named, budgets
            alone are judged where there is no baseline.

    Raises:
        UserError: If a file is missing or cannot be read, or if nothing may be compared.
    """
    budgets = find_budgets(budgets_file)
    path = _find_baseline_path(baseline_file, budgets_file, here)
    if path is None:
        limited = {BUDGETED[each.quantity].signal for each in budgets}
        wanted = signals or [each for each in SIGNALS if each in limited]
        reason = "as asked for" if baseline_file else "for there is no baseline of this environment"
        headline = f"budgets alone are judged, {reason}: {budgets_file or get_budgets_path()}"
        return Limits(headline, None, budgets, wanted)
    baseline = baselines.read(path)
    wanted = baselines.select_comparable(baseline, here, reference_version, signals)
    return Limits(f"baseline {path}, learned {baseline.learned}", baseline, budgets, wanted)


def _find_baseline_path(
    named: Path | None, budgets_file: Path | None, here: Environment
) -> Path | None:
    """The baseline; None for who wants none, or names a file of budgets where there is none."""
    if named == Path(NONE):
        return None
    try:
        return named or baselines.find(find_baselines_folder(), here)
    except UnreadableBaselineError:
        if budgets_file is None:
            raise
        return None


def make_case_filter(result: Result, selectors: Sequence[str]) -> CaseFilter:
    """Which cases are judged by a results file: all, or those that the selectors mean.

    The path of a scenario file means all that the results hold.
    """
    selectors = [each for each in selectors if not Path(each).exists()]
    if not selectors:
        return accept_every_case
    cases = [record.case for record in result.cases]
    for pattern in selectors:
        if not any(matches(pattern, case) for case in cases):
            raise UnknownSelectorError(pattern)
    names = {case.name for case in cases if any(matches(each, case) for each in selectors)}
    return names.__contains__


def accept_every_case(_name: str) -> bool:
    """Every case is judged."""
    return True


def judge_cases(source: EvidenceSource, held: Limits, chosen: CaseFilter) -> Judgement:
    """Decide what a baseline and budgets ask.

    Raises:
        UserError: If they ask nothing of the chosen cases.
    """
    policy = Policy()
    asked: list[Criterion] = []
    if held.baseline:
        asked += make_baseline_criteria(held.baseline, held.signals, chosen)
    asked += make_budget_criteria(held.budgets, held.signals, _select_records(source, chosen))
    if not asked:
        said = "the baseline and the budgets say" if held.baseline else "the budgets say"
        message = f"{said} nothing of the selected cases; {LEARN}, or write a budget of them"
        raise UserError(message)
    verdicts = select_relevant(judge(asked, source, policy), source.cases)
    notes = _make_notes(held, _select_records(source, chosen))
    return Judgement("check", (make_headline(policy, verdicts),), tuple(verdicts), tuple(notes))


def add_defects(judgement: Judgement, result: Result) -> Judgement:
    """A judgement that says what was done wrong under load: a fast wrong answer is no good result.

    Where the payload ran too often or too rarely, no scaling is within its range.

    Args:
        judgement: What was decided.
        result: What it rests on.
    """
    cases = dict.fromkeys(verdict.case for verdict in judgement.verdicts)
    defects = {case: list(find_defects(collect_tallies(result.loads, case))) for case in cases}
    wrong_runs = {
        case: describe_defect(defect)
        for case, found in defects.items()
        for defect in found
        if defect.kind in {"surplus runs", "missing runs"}
    }
    verdicts = tuple(
        _downgrade_scaling(verdict, wrong_runs.get(verdict.case, ""))
        for verdict in judgement.verdicts
    )
    notes = [
        f"{case}: {describe_defect(defect)}" for case, found in defects.items() for defect in found
    ]
    return replace(judgement, verdicts=verdicts, notes=(*judgement.notes, *notes))


def _downgrade_scaling(verdict: Verdict, wrong: str) -> Verdict:
    """What skips calls gets more of them done, so its scaling says nothing good."""
    if not wrong or verdict.signal != "scaling" or verdict.outcome not in {"within", "improved"}:
        return verdict
    return replace(verdict, outcome="inconclusive", reason=wrong)


def _select_records(source: EvidenceSource, chosen: CaseFilter) -> list[CaseRecord]:
    return [record for name, record in source.cases.items() if chosen(name)]


def _make_notes(held: Limits, records: Sequence[CaseRecord]) -> list[str]:
    """What was not judged, and what nothing was held against."""
    left_out = [key for key in SIGNALS_JUDGED if key not in held.signals]
    notes = [f"{key} is not judged: not asked for" for key in left_out]
    if held.baseline and (missing := find_cases_without_range(records, held.baseline)):
        notes.append(
            f"{len(missing)} measured cases have no range yet ({format_names(missing)}); {LEARN}"
        )
    if idle := [
        repr(each) for each in find_unmatched(held.budgets, [each.case for each in records])
    ]:
        notes.append(f"budgets that match no selected case: {format_names(idle)}")
    return notes

"""Selects cases of a results file by patterns over their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resilience_bench._model import Result
from resilience_bench.errors import NotInFileError
from resilience_bench.scenarios.patterns import find_close_names, matches


def select_stored_names(result: Result, patterns: Sequence[str], file: str) -> set[str]:
    """Return the names of the cases that any of the patterns means.

    NotInFileError, which names the ``file`` of the result, if a pattern means none of its cases.
    """
    cases = [record.case for record in result.cases]
    names: set[str] = set()
    for pattern in patterns:
        found = {case.name for case in cases if matches(pattern, case)}
        if not found:
            close = find_close_names(pattern, cases)
            raise NotInFileError(file, pattern, [case.name for case in cases], close)
        names |= found
    return names


def narrow_result(result: Result, patterns: Sequence[str], file: str) -> Result:
    """Return the result with the cases that any of the patterns means; all if there is none.

    What was measured together stays together: only what is said of single cases is left out.
    NotInFileError as for `select_stored_names`.
    """
    if not patterns:
        return result
    names = select_stored_names(result, patterns, file)
    return replace(
        result,
        cases=tuple(record for record in result.cases if record.case.name in names),
        drifts=tuple(record for record in result.drifts if record.case in names),
        outages=tuple(record for record in result.outages if record.case in names),
    )

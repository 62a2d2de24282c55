"""A judgement as GitHub's workflow commands, which become annotations of a pull request.

The escapes are those of GitHub's own toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from resilience_bench._model import Judgement, Verdict
from resilience_bench.gate.verdicts import compute_exit_code
from resilience_bench.report.text import clean_text
from resilience_bench.report.verdicts import (
    collect_not_measured,
    format_evidence,
    group_by_outcome,
    shorten_names,
    summarise_judgement,
)

SHOWN_ANNOTATIONS: Final = 10
"""GitHub shows so many annotations of a kind in a step, and drops the others without a word."""
NOTHING_JUDGED: Final = 2


def render(judgement: Judgement) -> str:
    """One command a line: errors for regressions, warnings for doubts, notices for improvements."""
    found = group_by_outcome(judgement)
    errors = [_make_annotation("REGRESSED", each) for each in found["regressed"]]
    if compute_exit_code(judgement, strict=False) == NOTHING_JUDGED:
        errors.append(("nothing was judged", summarise_judgement(judgement)))
    warnings = [_make_annotation("inconclusive", each) for each in found["inconclusive"]]
    warnings += [
        (f"not measured: {reason}", ", ".join(shorten_names(names)))
        for reason, names in collect_not_measured(judgement).items()
    ]
    notices = [_make_annotation("improved", each) for each in found["improved"]]
    return "\n".join(
        [
            *_format_commands("error", errors),
            *_format_commands("warning", warnings),
            *_format_commands("notice", notices),
        ]
    )


def _make_annotation(mark: str, verdict: Verdict) -> tuple[str, str]:
    return f"{mark}: {clean_text(verdict.case)}", format_evidence(verdict)


def _format_commands(kind: str, annotations: Sequence[tuple[str, str]]) -> Iterator[str]:
    shown = len(annotations) if len(annotations) <= SHOWN_ANNOTATIONS else SHOWN_ANNOTATIONS - 1
    for title, message in annotations[:shown]:
        yield f"::{kind} title={_escape_property(title)}::{_escape_data(message)}"
    rest = annotations[shown:]
    if rest:
        names = ", ".join(shorten_names([title for title, _message in rest]))
        yield f"::{kind} title={_escape_property(f'and {len(rest):,} more')}::{_escape_data(names)}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")

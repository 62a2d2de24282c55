"""A judgement as GitHub's workflow commands, which become annotations of a pull request.

The escapes are those of GitHub's own toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from resilience_bench._model import Judgement, Verdict
from resilience_bench.gate.verdicts import exit_code
from resilience_bench.report.blocks import plain
from resilience_bench.report.verdicts import evidence, few, not_measured, sections, summary

SHOWN: Final = 10
"""GitHub shows so many annotations of a kind in a step, and drops the others without a word."""
NOTHING_JUDGED: Final = 2


def render(judgement: Judgement) -> str:
    """One command a line: errors for regressions, warnings for doubts, notices for improvements."""
    found = sections(judgement)
    errors = [_about("REGRESSED", each) for each in found["regressed"]]
    if exit_code(judgement, strict=False) == NOTHING_JUDGED:
        errors.append(("nothing was judged", summary(judgement)))
    warnings = [_about("inconclusive", each) for each in found["inconclusive"]]
    warnings += [
        (f"not measured: {reason}", ", ".join(few(names)))
        for reason, names in not_measured(judgement).items()
    ]
    notices = [_about("improved", each) for each in found["improved"]]
    return "\n".join(
        [
            *_commands("error", errors),
            *_commands("warning", warnings),
            *_commands("notice", notices),
        ]
    )


def _about(mark: str, verdict: Verdict) -> tuple[str, str]:
    return f"{mark}: {plain(verdict.case)}", evidence(verdict)


def _commands(kind: str, annotations: Sequence[tuple[str, str]]) -> Iterator[str]:
    shown = len(annotations) if len(annotations) <= SHOWN else SHOWN - 1
    for title, message in annotations[:shown]:
        yield f"::{kind} title={_property(title)}::{_data(message)}"
    rest = annotations[shown:]
    if rest:
        names = ", ".join(few([title for title, _message in rest]))
        yield f"::{kind} title={_property(f'and {len(rest):,} more')}::{_data(names)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

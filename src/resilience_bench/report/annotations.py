"""A judgement as GitHub's workflow commands, which become annotations of a pull request.

The escapes are those of GitHub's own toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from resilience_bench._verdicts import Judgement
from resilience_bench.report import verdicts

SHOWN_ANNOTATIONS: Final = 10
"""GitHub shows only this many annotations of a kind in a step, without saying so."""
NOTHING_JUDGED: Final = 2


def render(judgement: Judgement) -> str:
    """Return one command a line: errors for regressions, warnings for doubts, then notices."""
    view = verdicts.make_judgement_view(judgement)
    errors, notices, warnings = (
        [
            (f"{verdicts.format_outcome(row.outcome)}: {row.case}", verdicts.format_evidence(row))
            for row in rows
        ]
        for rows in (view.rows[outcome] for outcome in verdicts.FULL_SECTIONS)
    )
    if view.exit_code == NOTHING_JUDGED:
        errors.append(("nothing was judged", view.summary))
    warnings += [
        (f"not measured: {reason}", ", ".join(verdicts.shorten_names(names)))
        for reason, names in view.not_measured.items()
    ]
    return "\n".join(
        [
            *_format_commands("error", errors),
            *_format_commands("warning", warnings),
            *_format_commands("notice", notices),
        ]
    )


def _format_commands(kind: str, annotations: Sequence[tuple[str, str]]) -> Iterator[str]:
    shown = len(annotations) if len(annotations) <= SHOWN_ANNOTATIONS else SHOWN_ANNOTATIONS - 1
    for title, message in annotations[:shown]:
        yield f"::{kind} title={_escape_property(title)}::{_escape_data(message)}"
    rest = annotations[shown:]
    if rest:
        names = ", ".join(verdicts.shorten_names([title for title, _message in rest]))
        yield f"::{kind} title={_escape_property(f'and {len(rest):,} more')}::{_escape_data(names)}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")

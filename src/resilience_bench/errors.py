"""Errors that a user can cause: each says what, where, what was expected, what to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SHOWN_NAMES: Final = 3
"""Names in a message, of many."""


def format_names(names: Sequence[str], separator: str = ", ") -> str:
    """Join the first few names, and the number of the others."""
    more = [f"{len(names) - SHOWN_NAMES} more"] if len(names) > SHOWN_NAMES else []
    return separator.join([*names[:SHOWN_NAMES], *more])


def format_amount(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


class UserError(Exception):
    """An error that the user can mend; shown as one line, never as a traceback."""


class UnknownSelectorError(UserError):
    """A selector matched no case."""

    def __init__(
        self, selector: str, close: Sequence[str] = (), problems: Sequence[str] = ()
    ) -> None:
        hint = f" (close: {', '.join(close)})" if close else ""
        unread = f"; could not be read: {'; '.join(problems)}" if problems else ""
        super().__init__(
            f"no case matches {selector!r}{hint}; expected a case name, a pattern such as "
            "'breaker.*' or '*[tenacity*', or the path of a scenario file; "
            f"type 'resilience-bench list' to see every case{unread}",
        )


class NotInFileError(UserError):
    """A selector matches no case of a results file."""

    def __init__(
        self, file: str, selector: str, names: Sequence[str], close: Sequence[str]
    ) -> None:
        hint = f" (close: {', '.join(close)})" if close else ""
        there = (
            f"{format_amount(len(names), 'case')}: {format_names(names)}" if names else "no case"
        )
        super().__init__(
            f"{file} has no case that matches {selector!r}{hint}; it has {there}; type "
            f"'resilience-bench show {file}' to see what it has, or measure what is missing"
        )


class UnknownLoadError(UserError):
    """A load does not exist, or is too large for this machine."""


class NoScenariosError(UserError):
    """There is nothing to measure at a path."""


class UnreadableResultError(UserError):
    """A results file is missing, cut short, not JSON, of a newer schema or not finite."""


class WrongFileKindError(UnreadableResultError):
    """A file is valid, and of this tool, but no results file."""


class UnwritableOutputError(UserError):
    """An output path cannot be written."""


class UnreadableBaselineError(UserError):
    """A baseline or a file of budgets is missing, cannot be read or makes no sense."""


class ForeignBaselineError(UserError):
    """A baseline is of an environment that cannot be compared with this one."""


class ForeignResultError(UserError):
    """Two results files have nothing that can be compared."""


class RefusedLearningError(UserError):
    """Runs do not belong together, or ranges would get looser without a reason."""


class VariantError(UserError):
    """A variant has an unknown form, or its environment cannot be made."""


class GitError(UserError):
    """git is not installed, or fails."""


class HistoryError(UserError):
    """Commits cannot be measured, or their results not be published."""

"""Every error that a user can cause: each says what, where, what was expected, what to type."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something that the user can mend; shown as one line, never as a traceback."""


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


class UnknownLoadError(UserError):
    """A load that there is not, or that this machine cannot carry."""


class NoScenariosError(UserError):
    """There is nothing to measure where the user points or stands."""


class UnreadableResultError(UserError):
    """A results file is missing, cut short, not JSON, of a newer schema or not finite."""


class WrongFileKindError(UnreadableResultError):
    """A file is whole, and of this tool, but no results file."""


class UnwritableOutputError(UserError):
    """An output path cannot be written."""


class UnreadableBaselineError(UserError):
    """A baseline or a file of budgets is missing, cannot be read or makes no sense."""


class ForeignBaselineError(UserError):
    """A baseline was learned where nothing measured here may be compared with it."""


class RefusedLearningError(UserError):
    """Runs do not belong together, or ranges would get looser and nobody said why."""


class VariantError(UserError):
    """A variant is none of the known forms, or its environment cannot be made."""


class GitError(UserError):
    """git is not installed, or fails."""


class HistoryError(UserError):
    """Commits cannot be measured, or their results not be published."""

"""The exit codes of the commands that do not judge; `gate.verdicts` has those that do."""

from __future__ import annotations

from typing import Final

OK: Final = 0
SOMETHING_FAILED: Final = 1
NOTHING_DONE: Final = 2
INTERRUPTED: Final = 130

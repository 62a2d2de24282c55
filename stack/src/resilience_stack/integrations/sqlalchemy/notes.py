"""What is said of an exception before it leaves a unit of work."""

from __future__ import annotations

from typing import Final

from resilience_stack.core.failures import find_failure
from resilience_stack.integrations.sqlalchemy.verdicts import judge, mark_foreign

__all__ = ["explain"]

SQLITE: Final = "sqlite"
HINTS: Final = {
    SQLITE: "the file of the database cannot be used: check that it is there, and that the service "
    "may write to it and to its folder, here {place}",
    "settings": "the database refuses the connection, and no retry will help: check user, "
    "password, host and name in the URL given to Database, here {place}",
    "connection": "no answer from the database: check that it runs, and host and port in the URL "
    "given to Database, here {place}",
    "timeout": "the time was up: check the database's load, pool_size given to Database, and "
    "deadline_s and attempt_s of the policy",
}


def explain(error: Exception, guard: str, place: str) -> None:
    """Add a line that names the guard and the setting, if the database is to blame.

    Args:
        error: What the unit of work raised; if an inner guard let it out, it is left to that one.
        guard: The guard's name.
        place: Where the database is, without a secret.
    """
    if find_failure(error) is not None:
        mark_foreign(error)
        return
    verdict: str = judge(error)
    if verdict == "settings" and place.startswith(SQLITE):
        verdict = SQLITE
    hint = HINTS.get(verdict)
    if hint is not None:
        error.add_note(f"guard {guard!r}: {hint.format(place=place)}")

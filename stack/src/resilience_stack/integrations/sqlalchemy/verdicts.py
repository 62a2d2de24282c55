"""What an exception says of the database: whether it is ill, and whether to try again.

SQLAlchemy raises OperationalError for a lost connection, a deadlock and a full disk alike, so it
is the driver's code that decides: the SQLSTATE of PostgreSQL, the result code of SQLite.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from resilience_stack.core.deadline import DeadlineExceededError
from resilience_stack.core.failures import Category, register_category

__all__ = [
    "Verdict",
    "is_answer",
    "is_commit_unknown",
    "is_retried",
    "judge",
    "mark_commit_unknown",
    "mark_foreign",
]

Verdict = Literal["timeout", "connection", "settings", "conflict", "answer"]
"""Time limit or lost connection: the database is ill. Settings: so it seems, and no retry helps.
Conflict: a healthy database asks for another attempt. Answer: all else, the caller's errors too."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
STATES: Final[dict[str, Verdict]] = {
    "40001": "conflict",  # serialization_failure
    "40P01": "conflict",  # deadlock_detected
    "57014": "timeout",  # query_canceled: what statement_timeout ends in
    "55P03": "timeout",  # lock_not_available
    "25P04": "timeout",  # transaction_timeout
    "25P03": "connection",  # idle_in_transaction_session_timeout
    "53300": "connection",  # too_many_connections
    "57P01": "connection",  # admin_shutdown: also pg_terminate_backend
    "57P02": "connection",  # crash_shutdown
    "57P03": "connection",  # cannot_connect_now
    "57P05": "connection",  # idle_session_timeout
    "3D000": "settings",  # invalid_catalog_name
}
CLASSES: Final[dict[str, Verdict]] = {"08": "connection", "28": "settings"}
# https://www.sqlite.org/rescode.html
SQLITE: Final[dict[int, Verdict]] = {
    5: "timeout",  # SQLITE_BUSY, after the busy timeout
    6: "timeout",  # SQLITE_LOCKED
    9: "timeout",  # SQLITE_INTERRUPT: what the deadline ends in
    10: "connection",  # SQLITE_IOERR
    14: "settings",  # SQLITE_CANTOPEN
    26: "settings",  # SQLITE_NOTADB
    1032: "settings",  # SQLITE_READONLY_DBMOVED: somebody has taken the file away
}
QUOTES: Final = "[\"'`«»„“”‘’「」]"  # noqa: RUF001 - those of other languages
FULL: Final = re.compile(
    # English, German, French, Spanish, Italian, Portuguese, Swedish, Polish, Czech, Turkish,
    # Russian and Ukrainian, Georgian, Chinese, Japanese, Korean
    r"too many|zu viele|trop de|demasiadas|tropp[ei]|muitas|för många|zbyt wiele|příliš mnoho"
    r"|çok fazla|слишком много|занадто багато|забагато|ბევრი|过多|太多|多すぎ|초과",
    re.IGNORECASE,
)
"""What names a user or a database as well, and may be otherwise a moment later.

A limit of connections of one user or database, in the languages of the server's texts.
"""


def judge(error: BaseException) -> Verdict:
    """Return what an exception that left a unit of work says of the database."""
    if getattr(error, "is_foreign", False):
        return "answer"
    if isinstance(error, DeadlineExceededError | PoolTimeoutError):
        return "timeout"
    if isinstance(error, DisconnectionError):
        return "connection"
    return _judge_driver(error) if isinstance(error, DBAPIError) else "answer"


def _judge_driver(error: DBAPIError) -> Verdict:
    cause = error.orig
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return STATES.get(state) or CLASSES.get(state[:2], "answer")
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return SQLITE.get(code) or SQLITE.get(code & 0xFF, "answer")
    if getattr(cause, "is_time_limit", False) or type(cause).__name__ == "ConnectionTimeout":
        return "timeout"
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return "settings" if _is_refused(cause) else "connection"
    return "answer"


def _is_refused(cause: BaseException | None) -> bool:
    """Say whether PostgreSQL refuses this user, password, host or database.

    The driver has no SQLSTATE for a refused connection, only the server's text, in the server's
    language. In each of them it has the name of the user or of the database in quotation marks,
    which the text about a server that is full or starting has not.
    """
    connection = getattr(cause, "pgconn", None)
    _, is_connecting, text = str(cause).rpartition(" failed: ")
    if connection is None or not is_connecting:
        return False
    names = [re.escape(name.decode()) for name in (connection.user, connection.db) if name]
    is_named = names and re.search(rf"{QUOTES}\s?({'|'.join(names)})\s?{QUOTES}", text)
    return connection.needs_password or bool(is_named and not FULL.search(text))


def is_answer(error: Exception) -> bool:
    """Say whether a healthy database may answer so."""
    return judge(error) in {"answer", "conflict"}


def is_retried(error: Exception) -> bool:
    """Say whether the whole transaction is worth another attempt, and cannot have happened yet."""
    return judge(error) in {"timeout", "connection", "conflict"} and not is_commit_unknown(error)


def is_commit_unknown(error: BaseException) -> bool:
    """Say whether the answer to a COMMIT was lost: the transaction may have happened, or not.

    Args:
        error: What a unit of work raised, or the error of a time limit that cancelled it.
    """
    return any(getattr(one, "is_commit_unknown", False) for one in (error, error.__cause__))


def mark_commit_unknown(error: BaseException) -> None:
    """Mark what a COMMIT raised, unless the server's own answer says that it did not happen.

    A server that ends a connection says so instead of, not after, the answer to the COMMIT. One
    that crashes says so at any moment.
    """
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if code is not None or (state and state != "57P02" and state[:2] != "08"):
        return
    error.is_commit_unknown = True  # type: ignore[attr-defined]
    error.add_note(
        "the COMMIT was sent and its answer was lost: whether the transaction took place is not "
        "known, so it was not tried again"
    )


def mark_foreign(error: BaseException) -> None:
    """Mark an exception as none of this database: an inner guard has let it out."""
    error.is_foreign = True  # type: ignore[attr-defined]


def _categorize(error: BaseException) -> Category:
    verdict = judge(error)
    if verdict in {"timeout", "answer"}:
        return "timeout" if verdict == "timeout" else "answer"
    return "answer" if verdict == "conflict" else "connection"


for _kind in (DBAPIError, PoolTimeoutError, DisconnectionError):
    register_category(_kind, _categorize)

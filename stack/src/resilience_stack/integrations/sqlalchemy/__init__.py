"""Units of work on a database by SQLAlchemy 2: guarded, limited, and replayed as a whole."""

try:
    from resilience_stack.integrations.sqlalchemy.async_database import AsyncDatabase
    from resilience_stack.integrations.sqlalchemy.database import Database
    from resilience_stack.integrations.sqlalchemy.settings import policy
    from resilience_stack.integrations.sqlalchemy.verdicts import is_commit_unknown
except ModuleNotFoundError as error:
    message = (
        "resilience_stack.integrations.sqlalchemy needs sqlalchemy: "
        "pip install 'resilience-stack[sqlalchemy]'"
    )
    raise ImportError(message) from error

__all__ = ["AsyncDatabase", "Database", "is_commit_unknown", "policy"]

"""Engines with the limits of a guard in them, made from a URL or taken as they are."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool

from resilience_stack.core.guard import Guard
from resilience_stack.core.matching import matching
from resilience_stack.integrations.sqlalchemy.limits_sqlite import limit_sqlite
from resilience_stack.integrations.sqlalchemy.pools import (
    AsyncPatientPool,
    PatientPool,
    check_idle_connections,
)
from resilience_stack.integrations.sqlalchemy.verdicts import is_answer

__all__ = ["describe_place", "make_limited_engine"]

DRIVERS: Final = {
    "sqlite": ("sqlite+pysqlite", "sqlite+aiosqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
}
"""The drivers whose limits are known, for plain functions and for coroutines."""
EXPECTED: Final = "expected one of sqlite:///FILE and postgresql+psycopg://USER@HOST/DATABASE"


def make_limited_engine(
    guard: Guard, database: str | URL | Engine, options: dict[str, Any], *, is_async: bool
) -> Engine:
    """Return an engine with the limits of a guard in it.

    Args:
        guard: Its policy has the limits.
        database: A URL, or an engine that has been made.
        options: For ``create_engine``.
        is_async: Whether it is for asyncio; the engine returned is then the synchronous one inside.

    Raises:
        ValueError: If a setting makes no sense; the text has the guard and the setting.
        ImportError: If the driver is not installed.
    """
    policy = guard.policy
    limit_s = policy.attempt_s or policy.deadline_s
    if limit_s is None or matching(is_answer) not in policy.ignored:
        message = (
            f"guard {guard.name!r} has a policy that is not for databases; expected one of "
            "policy(...) of resilience_stack.integrations.sqlalchemy, with a deadline_s"
        )
        raise ValueError(message)
    if isinstance(database, Engine):
        engine = _take(guard, database, limit_s, is_async=is_async)
    else:
        engine = _make(guard, database, options, is_async=is_async)
    if engine.dialect.name == "sqlite":
        limit_sqlite(engine, limit_s)
    else:
        module = import_module("resilience_stack.integrations.sqlalchemy.limits_postgresql")
        module.refuse_bad_options(engine, guard.name)
        module.limit_psycopg(engine, limit_s)
        check_idle_connections(engine)
    return engine


def describe_place(engine: Engine) -> str:
    """Return where the database is, without the password and without the URL's options."""
    url = engine.url
    port = f":{url.port}" if url.port else ""
    host = f"{url.username or ''}@{url.host}{port}" if url.host else ""
    return f"{url.drivername}://{host}/{url.database or ''}"


def _take(guard: Guard, engine: Engine, limit_s: float, *, is_async: bool) -> Engine:
    name = f"{engine.dialect.name}+{engine.dialect.driver}"
    expected = DRIVERS.get(engine.dialect.name, ("", ""))[is_async]
    if name != expected or engine.dialect.is_async is not is_async:
        message = f"guard {guard.name!r}: the engine is one of {name}; {EXPECTED}"
        raise ValueError(message)
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return engine
    if pool.checkedin() + pool.checkedout():
        message = (
            f"guard {guard.name!r}: the engine has connections without limits already, "
            "expected one that was not used yet"
        )
        raise ValueError(message)
    if pool.timeout() > limit_s:
        message = (
            f"guard {guard.name!r}: the engine's pool waits {pool.timeout():g} s for a connection, "
            f"expected no more than an attempt may take: create_engine(..., pool_timeout={limit_s})"
        )
        raise ValueError(message)
    return engine


def _make(guard: Guard, database: str | URL, options: dict[str, Any], *, is_async: bool) -> Engine:
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        # Neither the text nor its chain of causes: there may be a password in the URL.
        message = f"guard {guard.name!r}: the URL of the database cannot be read; {EXPECTED}"
        raise ValueError(message) from None
    if "@" in (url.host or ""):
        # Else the second half of a password would be in each message, as the host.
        message = (
            f"guard {guard.name!r}: the URL of the database has more than one @; expected %40 for "
            "an @ in the user or the password"
        )
        raise ValueError(message)
    backend = url.drivername.partition("+")[0]
    drivers = DRIVERS.get(backend, ("", ""))
    if url.drivername not in {backend, *drivers} or not drivers[0]:
        message = f"guard {guard.name!r}: the driver of the URL is {url.drivername!r}; {EXPECTED}"
        raise ValueError(message)
    if "pool_timeout" in options:
        message = (
            f"guard {guard.name!r} has a pool_timeout; expected none: a call waits for a "
            "connection while its policy gives it time"
        )
        raise ValueError(message)
    _refuse_endless_pool(guard, options)
    url = url.set(drivername=drivers[is_async])
    try:
        dialect = cast("type[DefaultDialect]", url.get_dialect())
        if issubclass(dialect.get_pool_class(url), QueuePool):
            options = {"poolclass": AsyncPatientPool if is_async else PatientPool, **options}
        if is_async:
            return create_async_engine(url, **options).sync_engine
        return create_engine(url, **options)
    except TypeError as error:
        # SQLAlchemy's text has the names of the options, not the URL.
        message = f"guard {guard.name!r}: {error}; expected options of create_engine"
        raise TypeError(message) from None
    except (NoSuchModuleError, ImportError) as error:
        extra = "postgresql" if backend == "postgresql" else "sqlalchemy"
        message = (
            f"guard {guard.name!r} needs the driver {url.drivername}: "
            f"pip install 'resilience-stack[{extra}]'"
        )
        raise ImportError(message) from error


def _refuse_endless_pool(guard: Guard, options: dict[str, Any]) -> None:
    """Refuse a pool without a limit: an outage would take all connections of the server.

    Raises:
        ValueError: If there is no limit, or less than none; the text has the option and the value.
        TypeError: If it is no whole number; likewise.
    """
    for name, least in (("pool_size", 1), ("max_overflow", 0)):
        if name not in options:
            continue
        value = options[name]
        message = (
            f"guard {guard.name!r}: {name} is {value!r}, expected a whole number of {least} or more"
        )
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(message)
        if value < least:
            raise ValueError(message)

"""Wrong settings of a database: one line that names the guard and the setting, and no secret."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from resilience_bench.servers.proxy import Proxy
from resilience_stack import Policy
from resilience_stack.integrations.sqlalchemy import AsyncDatabase, Database, policy
from tests.stack.bench import Bench
from tests.stack.integration.databases import MakeClient
from tests.stack.integration.postgresql_server import PostgresqlServer
from tests.stack.integration.refusing_server import RefusingServer

SECRET = "open-sesame"


def fails_to_connect(bench: Bench, make_client: MakeClient, url: str, attempts: int) -> str:
    """Run a unit of work that fails so often; return the note that says what to set."""
    client = make_client(bench, url)
    with pytest.raises(OperationalError) as caught:
        client.run("SELECT 1")
    said = "".join(traceback.format_exception(caught.value))
    assert SECRET not in said
    note: str = caught.value.__notes__[0]
    assert "\n" not in note
    assert bench.calls() == (0, 1, 0)
    assert bench.sample("retries_total") == attempts - 1
    return note


def test_a_wrong_password(
    bench: Bench, postgresql: PostgresqlServer, postgresql_proxy: Proxy, make_client: MakeClient
) -> None:
    """It is tried once, as the server sees it too."""
    url = postgresql.url(postgresql_proxy.port, password=SECRET)
    note = fails_to_connect(bench, make_client, url, attempts=1)
    assert "guard 'database'" in note
    assert "check user, password, host and name in the URL given to Database" in note
    assert postgresql_proxy.connections == 1


@pytest.mark.parametrize(
    ("asks", "text", "attempts"),
    [
        (True, 'password authentication failed for user "anna"', 1),
        (True, "Passwort-Authentifizierung für Benutzer »anna« fehlgeschlagen", 1),
        (True, "authentification par mot de passe échouée pour l'utilisateur « anna »", 1),
        (False, "kein pg_hba.conf-Eintrag für Host »h«, Benutzer »anna«, Datenbank »shop«", 1),
        (False, 'роль "anna" не существует', 1),
        (True, "Datenbank »shop« existiert nicht", 1),
        (True, "tut mir leid, schon zu viele Verbindungen", 3),
        (True, 'too many connections for role "anna"', 3),
        (True, "zu viele Verbindungen von Rolle »anna«", 3),
        (True, "zu viele Verbindungen für Datenbank »shop«", 3),
        (True, "trop de connexions pour le rôle « anna »", 3),
        (True, "demasiadas conexiones para la base de datos «shop»", 3),
        (True, 'troppe connessioni per il ruolo "anna"', 3),
        (True, 'för många uppkopplingar till databasen "shop"', 3),
        (True, 'слишком много подключений для роли "anna"', 3),
        (True, 'занадто багато підключень до бази даних "shop"', 3),
        (True, 'მეტისმეტად ბევრი კავშირი როლისთვის "anna"', 3),
        (True, 'ロール"anna"からの接続が多すぎます', 3),
        (True, '"anna" 롤의 최대 동시 접속수를 초과했습니다', 3),
        (True, '数据库 "shop" 的连接过多', 3),
        (True, '角色 "anna" 的連線太多', 3),
        (False, "das Datenbanksystem startet", 3),
    ],
)
def test_a_refusal_in_any_language(
    bench: Bench, make_client: MakeClient, *, asks: bool, text: str, attempts: int
) -> None:
    """Who is refused is not tried again, however the server says so; a full one is asked again."""
    with RefusingServer(text, asks=asks) as server:
        url = f"postgresql+psycopg://anna:{SECRET}@127.0.0.1:{server.port}/shop"
        note = fails_to_connect(bench, make_client, url, attempts)
    assert note.startswith("guard 'database': ")
    assert ("check user, password, host and name in the URL" in note) == (attempts == 1)
    assert server.refused == attempts


@pytest.mark.parametrize("limited", ["ROLE anna", "DATABASE shop"])
def test_a_limit_of_connections(
    bench: Bench, postgresql: PostgresqlServer, make_client: MakeClient, limited: str
) -> None:
    """PostgreSQL names the role or the database, but there may be room a moment later."""
    postgresql.ask(f"CREATE ROLE anna LOGIN PASSWORD '{SECRET}'")
    postgresql.ask("CREATE DATABASE shop")
    try:
        postgresql.ask(f"ALTER {limited} CONNECTION LIMIT 0")
        url = f"postgresql+psycopg://anna:{SECRET}@127.0.0.1:{postgresql.port}/shop"
        note = fails_to_connect(bench, make_client, url, attempts=3)
        assert "no answer from the database" in note
    finally:
        postgresql.ask("DROP DATABASE shop")
        postgresql.ask("DROP ROLE anna")


def test_an_unknown_database(
    bench: Bench, postgresql: PostgresqlServer, postgresql_proxy: Proxy, make_client: MakeClient
) -> None:
    """No retry would make it appear."""
    url = postgresql.url(postgresql_proxy.port, name="nowhere")
    note = fails_to_connect(bench, make_client, url, attempts=1)
    assert note.endswith(f"postgresql+psycopg://postgres@127.0.0.1:{postgresql_proxy.port}/nowhere")
    assert postgresql_proxy.connections == 1


def test_a_missing_server(bench: Bench, make_client: MakeClient) -> None:
    """It may come back: the attempts of the policy are made, and no more."""
    url = f"postgresql+psycopg://postgres:{SECRET}@127.0.0.1:1/orders"
    note = fails_to_connect(bench, make_client, url, attempts=3)
    assert "guard 'database': no answer from the database: check that it runs" in note


@pytest.mark.parametrize("kind", [Database, AsyncDatabase])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"postgresql//postgres:{SECRET}@host/orders", "the URL of the database cannot be read"),
        (f"mysql://root:{SECRET}@host/orders", "the driver of the URL is 'mysql'"),
        (f"postgresql+asyncpg://postgres:{SECRET}@host/orders", "'postgresql\\+asyncpg'"),
        (f"postgresql+psycopg://postgres:{SECRET}@host:port/orders", "cannot be read"),
        (f"postgresql+psycopg://postgres:half@{SECRET}@host/orders", "has more than one @"),
        (f"postgresql+psycopg://postgres@host/orders?nosuch={SECRET}", 'option "nosuch"'),
    ],
)
def test_a_wrong_url(bench: Bench, kind: type, url: str, expected: str) -> None:
    """It is refused when the database is made, without showing it."""
    with pytest.raises(ValueError, match=f"guard 'database': .*{expected}") as caught:
        kind(bench.manager.guard("database", policy()), url)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", [Database, AsyncDatabase])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pool_size": 0}, "pool_size is 0, expected a whole number of 1 or more"),
        ({"pool_size": "5"}, "pool_size is '5', expected a whole number of 1 or more"),
        ({"pool_size": True}, "pool_size is True, expected a whole number of 1 or more"),
        ({"max_overflow": -1}, "max_overflow is -1, expected a whole number of 0 or more"),
        ({"colour": "red"}, "'colour'.*; expected options of create_engine"),
    ],
)
def test_a_pool_without_a_limit(
    bench: Bench, kind: type, options: dict[str, object], said: str
) -> None:
    """SQLAlchemy would open connections without end; that and unknown options are refused."""
    with pytest.raises((TypeError, ValueError), match=f"guard 'database': .*{said}") as caught:
        kind(
            bench.manager.guard("database", policy()),
            f"postgresql+psycopg://postgres:{SECRET}@host/orders",
            **options,
        )
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_policy_that_is_not_for_databases(bench: Bench) -> None:
    """Its breaker would count the errors of callers as failures: it is refused."""
    guard = bench.manager.guard("database", Policy(deadline_s=5))
    with pytest.raises(ValueError, match=r"expected one of policy\(\.\.\.\)"):
        Database(guard, "sqlite://")


def test_an_engine_that_waits_too_long(bench: Bench, postgresql: PostgresqlServer) -> None:
    """A pool that waits longer than an attempt may take is refused."""
    guard = bench.manager.guard("database", policy(deadline_s=2))
    with pytest.raises(ValueError, match=r"the engine's pool waits 30 s .* pool_timeout=2"):
        Database(guard, create_engine(postgresql.url()))
    with pytest.raises(ValueError, match="has a pool_timeout; expected none"):
        Database(guard, postgresql.url(), pool_timeout=30)


def test_an_engine_that_is_given(bench: Bench, postgresql: PostgresqlServer) -> None:
    """It gets the limits as well."""
    engine = create_engine(postgresql.url(), pool_timeout=1)
    database = Database(bench.manager.guard("database", policy(deadline_s=2)), engine)
    limit = database.run(lambda session: session.scalar(text("SHOW statement_timeout")))
    assert limit == "1800ms"
    database.close()


def test_an_engine_of_the_wrong_kind(bench: Bench) -> None:
    """One of asyncio is for AsyncDatabase."""
    guard = bench.manager.guard("database", policy())
    engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(ValueError, match=r"the engine is one of sqlite\+aiosqlite"):
        Database(guard, engine.sync_engine)


def test_a_coroutine_function_is_refused(bench: Bench) -> None:
    """A plain database would commit before its work begins."""
    database = Database(bench.manager.guard("database", policy()), "sqlite://")

    async def place(session: object) -> None:
        """Do nothing."""

    with pytest.raises(TypeError, match="AsyncDatabase is for coroutine functions"):
        database.transaction(place)


@pytest.mark.parametrize(
    ("module", "extra"), [("sqlalchemy", "sqlalchemy"), ("psycopg", "postgresql")]
)
def test_a_missing_extra(module: str, extra: str) -> None:
    """One line says what to install."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from resilience_stack import ResilienceManager\n"
        "from resilience_stack.integrations.sqlalchemy import Database, policy\n"
        "guard = ResilienceManager().guard('orders', policy())\n"
        "Database(guard, 'postgresql://host/orders')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert last.endswith(f"pip install 'resilience-stack[{extra}]'")


def test_what_a_policy_refuses() -> None:
    """Fields and values are checked as those of every policy."""
    with pytest.raises(ValueError, match=r"Policy\.deadline_s is 0"):
        policy(deadline_s=0)
    with pytest.raises(TypeError, match="fail_maximum"):
        policy(fail_maximum=3)
    assert policy() == policy()

"""What the guards of a database, a cache and an HTTP client add to calls of real clients.

The cache needs a redis-server: its URL is read from REDIS_URL.
"""

import os

import httpx
import redis
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from resilience_bench import Unsupported, scenario
from resilience_stack import ResilienceManager
from resilience_stack.integrations import httpx as guarded_httpx
from resilience_stack.integrations import redis as guarded_redis
from resilience_stack.integrations import sqlalchemy as guarded_sqlalchemy

SIDES = {"client": ("bare", "guarded")}
QUERY = text("SELECT value FROM items WHERE id = 1")


def make_manager():
    """Return a manager with a registry of its own."""
    return ResilienceManager(CollectorRegistry())


def make_engine():
    """Return SQLite in memory, with one connection, which is not made yet."""
    return create_engine("sqlite://", poolclass=StaticPool)


def fill(session):
    """Make a table of one row."""
    session.execute(text("CREATE TABLE items (id INTEGER PRIMARY KEY, value INTEGER)"))
    session.execute(text("INSERT INTO items VALUES (1, 42)"))


@scenario(parameters=SIDES)
def sqlite_select(payload, client):
    """A unit of work selects a row by its key, from SQLite in memory."""

    def work(session):
        session.scalar(QUERY)
        return payload()

    engine = make_engine()
    if client == "guarded":
        guard = make_manager().guard("items", guarded_sqlalchemy.policy(deadline_s=2.0))
        run = guarded_sqlalchemy.Database(guard, engine).run
    else:

        def run(work):
            with Session(engine, expire_on_commit=False) as session, session.begin():
                return work(session)

    run(fill)
    yield lambda: run(work)
    engine.dispose()


@scenario(parameters=SIDES)
def redis_get(payload, client):
    """A value is read from a redis-server."""
    url = os.environ.get("REDIS_URL")
    if url is None:
        raise Unsupported("it needs a redis-server: set REDIS_URL")
    if client == "guarded":
        guard = make_manager().guard("cache", guarded_redis.policy(deadline_s=2.0))
        cache = guarded_redis.Cache(guard, url)
        cache.set("greeting", "hello", ttl_s=600)
    else:
        cache = redis.Redis.from_url(url)
        cache.set("greeting", "hello", ex=600)

    def read():
        cache.get("greeting")
        return payload()

    yield read
    cache.close()


@scenario(parameters=SIDES)
def http_get(payload, client):
    """A request is answered without a network, by httpx's own mock of a host."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    if client == "guarded":
        limits = guarded_httpx.policy(deadline_s=2.0)
        transport = guarded_httpx.GuardedTransport(make_manager(), transport, policy=limits)
    with httpx.Client(transport=transport) as session:

        def ask():
            session.get("http://example.com/")
            return payload()

        yield ask

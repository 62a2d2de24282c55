"""The shop: each call of a dependency goes through its guard."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NamedTuple

import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from demo.service.calls import note_call
from demo.service.settings import Settings
from demo.service.tables import ITEMS, ORDERS
from resilience_stack import Fallback, Policy, ResilienceManager, Retry
from resilience_stack.edge.request_id import HEADER, REQUEST_ID
from resilience_stack.integrations.redis import AsyncCache
from resilience_stack.integrations.redis import policy as make_cache_policy
from resilience_stack.integrations.sqlalchemy import AsyncDatabase
from resilience_stack.integrations.sqlalchemy import policy as make_database_policy

RESET_S: Final = 1.0
"""So long a breaker stays open before it lets a call through: short, so that a demo shows it."""
FAIL_MAX: Final = 3
ATTEMPT_S: Final = 0.3
DEADLINE_S: Final = 0.45
"""Below the 500 ms of the latency objective in monitoring/, so that an outage is not slow, too."""
DATABASE: Final = make_database_policy(
    deadline_s=DEADLINE_S,
    attempt_s=ATTEMPT_S,
    fail_max=FAIL_MAX,
    attempts=2,
    wait_initial_s=0.02,
    jitter_s=0.02,
    reset_timeout_s=RESET_S,
)
CACHE: Final = make_cache_policy(deadline_s=ATTEMPT_S, fail_max=FAIL_MAX, reset_timeout_s=RESET_S)
PRICES: Final = Policy(
    deadline_s=DEADLINE_S,
    attempt_s=ATTEMPT_S,
    fail_max=FAIL_MAX,
    reset_timeout_s=RESET_S,
    retries=(Retry(on=(httpx.TransportError,), attempts=2, wait_initial_s=0.02, jitter_s=0.02),),
)
WARM_UP_S: Final = 5.0
WARM_UP_CALLS: Final = 5
STALE_ITEM_S: Final = 600.0
STALE_PRICE_S: Final = 5.0
"""Old prices are wrong prices: after this the shop sells at the price of its catalogue."""
CATALOGUE_CENTS: Final = 999
KEPT_S: Final = 0.5
"""So long the cache keeps an item: short, so that the database is asked again and again."""


class Item(NamedTuple):
    """An item, and the request for which it was read from the database."""

    name: str
    request_id: str


class Shop:
    """What the service does.

    Attributes:
        manager: Has the guards.
    """

    def __init__(self, settings: Settings) -> None:
        """Make guards and clients; nothing is connected yet."""
        self.manager = ResilienceManager()
        database = self.manager.guard("database", DATABASE, Fallback(stale_s=STALE_ITEM_S))
        self._database = AsyncDatabase(database, settings.database_url)
        self._read_item = self._database.transaction(read_item)
        self._insert_order = self._database.transaction(insert_order)
        self._prices = self.manager.guard(
            "prices",
            PRICES,
            Fallback(stale_s=STALE_PRICE_S, default=lambda _item_id: CATALOGUE_CENTS),
        )
        self._client = httpx.AsyncClient(base_url=settings.prices_url, trust_env=False)
        self._cache = None
        if settings.cache_url:
            guard = self.manager.guard("cache", CACHE)
            self._cache = AsyncCache(guard, settings.cache_url)

    async def show(self, item_id: int) -> dict[str, Any]:
        """Return an item with its price.

        Raises:
            LookupError: If there is no such item.
        """
        name = await self._find_name(item_id)
        price = await self._prices.answer_async(self._ask_price, item_id)
        note_call("prices", price.source)
        return {"name": name, "cents": price.value, "price_is": price.source}

    async def order(self, item_id: int) -> dict[str, Any]:
        """Place an order; there is no fallback for it."""
        try:
            number = await self._insert_order(item_id, _get_request_id())
        except Exception:
            note_call("database", "failed")
            raise
        note_call("database", "live")
        return {"order": number}

    async def warm_up(self) -> None:
        """Call a few times past the guards: first calls take longer than a limit allows."""

        async def call() -> None:
            async with AsyncSession(self._database.engine) as session:
                await read_item(session, 1)
            await self._client.get("/prices/1", timeout=WARM_UP_S)

        for _ in range(2):
            # At once, so that as many connections are open afterwards.
            calls = [call() for _ in range(WARM_UP_CALLS)]
            await asyncio.gather(*calls, return_exceptions=True)

    async def close(self) -> None:
        """Close all connections, and write the metrics."""
        self.manager.flush_metrics()
        await self._client.aclose()
        await self._database.close()
        if self._cache is not None:
            await self._cache.close()

    async def _find_name(self, item_id: int) -> str:
        if self._cache is None:
            return (await self._read_from_database(item_id))[0]
        if (kept := await self._cache.get(f"item:{item_id}")) is not None:
            note_call("cache", "hit")
            name: str = json.loads(kept)
            return name
        note_call("cache", "miss")
        name, is_live = await self._read_from_database(item_id)
        if is_live:
            is_taken = await self._cache.set(f"item:{item_id}", json.dumps(name), ttl_s=KEPT_S)
            note_call("cache", "taken" if is_taken else "lost")
        return name

    async def _read_from_database(self, item_id: int) -> tuple[str, bool]:
        """Return the name of an item, and whether the database has just said so."""
        try:
            item = await self._read_item(item_id)
        except Exception:
            note_call("database", "failed")
            raise
        is_live = item.request_id == _get_request_id()
        note_call("database", "live" if is_live else "stale")
        return item.name, is_live

    async def _ask_price(self, item_id: int) -> int:
        headers = {HEADER: _get_request_id()}
        response = await self._client.get(f"/prices/{item_id}", headers=headers)
        response.raise_for_status()
        cents: int = response.json()["cents"]
        return cents


async def read_item(session: AsyncSession, item_id: int) -> Item:
    """Read an item; a unit of work."""
    name = await session.scalar(select(ITEMS.c.name).where(ITEMS.c.id == item_id))
    if name is None:
        raise LookupError(f"there is no item {item_id}")
    return Item(name, _get_request_id())


async def insert_order(session: AsyncSession, item_id: int, request_id: str) -> int:
    """Write an order and return its number; a unit of work."""
    insert = ORDERS.insert().values(item_id=item_id, request_id=request_id).returning(ORDERS.c.id)
    number: int = (await session.execute(insert)).scalar_one()
    return number


def _get_request_id() -> str:
    return REQUEST_ID.get() or "-"

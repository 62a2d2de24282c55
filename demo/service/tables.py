"""The tables of the shop, and the items in it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine

TABLES: Final = MetaData()
ITEMS: Final = Table(
    "items",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False),
)
ORDERS: Final = Table(
    "orders",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("item_id", Integer, nullable=False),
    Column("request_id", String(128), nullable=False),
)
NAMES: Final = ("tea", "coffee", "cocoa", "milk", "honey", "bread", "butter", "salt", "rice", "oil")


def create_shop(url: str) -> None:
    """Create the tables and the items in an empty database.

    Args:
        url: SQLAlchemy's, with a driver of plain functions.
    """
    engine: Engine = create_engine(url)
    with engine.begin() as connection:
        TABLES.create_all(connection)
        rows = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
        connection.execute(ITEMS.insert(), rows)
    engine.dispose()

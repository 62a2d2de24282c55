"""A payload of one's own: an order and its lines, read by key from SQLite."""

import sqlite3

from resilience_bench import payload


@payload(returns=[("pen", 2), ("ink", 1)])
def order_lines():
    """Read the lines of an order, as our service does for most requests."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE lines (order_id, name, count)")
    connection.execute("CREATE INDEX by_order ON lines (order_id)")
    rows = [(1, "pen", 2), (1, "ink", 1), (2, "paper", 500)]
    connection.executemany("INSERT INTO lines VALUES (?, ?, ?)", rows)
    query = "SELECT name, count FROM lines WHERE order_id = ?"
    yield lambda: connection.execute(query, (1,)).fetchall()
    connection.close()

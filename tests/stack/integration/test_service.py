"""The service that the stack's README begins with, while its database is locked."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import json, logging, sqlite3

logging.disable()


def ask(path):
    started = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    body = b"".join(service(environ, lambda status, *_: started.append(status[:3])))
    return started[-1], body.decode()


answers = [ask("/")]
with sqlite3.connect("stock.db") as other:
    other.execute("BEGIN EXCLUSIVE")
    answers += [ask("/") for _ in range(4)]
    answers.append(ask("/readyz")[0])
print(json.dumps([answers, guard.state, guard.status().mode]))
"""


def test_stale_answers_go_on_when_the_breaker_has_opened(tmp_path: Path) -> None:
    """Requests are answered for as long as the database is locked, and readiness stays 200."""
    readme = (ROOT / "stack" / "README.md").read_text(encoding="utf-8")
    block = readme.partition("```python\n")[2].partition("```")[0]
    # The page selects a constant, which a lock does not hold up.
    block = block.replace("SELECT 42", "SELECT number FROM items")
    with closing(sqlite3.connect(tmp_path / "stock.db")) as connection:
        connection.execute("CREATE TABLE items (number INTEGER)")
        connection.execute("INSERT INTO items VALUES (42)")
        connection.commit()
    done = subprocess.run(
        [sys.executable, "-c", block + SCRIPT],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, state, mode = json.loads(done.stdout)
    assert answers == [["200", "42"]] * 5 + ["200"]
    assert (state, mode) == ("open", None)

"""A service that gets SIGTERM while it serves calls."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.stack.integration.postgresql_server import PostgresqlServer
from tests.stack.integration.processes import Process, wait_until


@pytest.mark.parametrize(("kind", "at_once"), [("plain", 1), ("tasks", 4)])
def test_sigterm_in_the_middle(
    postgresql: PostgresqlServer, tmp_path: Path, kind: str, at_once: int
) -> None:
    """It ends, no transaction is there by half, and what was cut off counts as no failure."""
    log = tmp_path / "log"
    module = [sys.executable, "-m", "tests.stack.integration.serving"]
    process = Process([*module, kind, postgresql.url()], log=log, cwd=ROOT)
    try:
        wait_until(
            lambda: not process.is_running() or len(postgresql.ask("SELECT * FROM orders")) > 20,
            "the service places no orders",
        )
        assert process.terminate() == 0
    finally:
        process.stop()
    postgresql.wait_for_connections(0)
    placed = [item.split() for (item,) in postgresql.ask("SELECT item FROM orders")]
    left = {number for number, side in placed if side == "left"}
    right = {number for number, side in placed if side == "right"}
    assert left == right
    samples = {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(log.read_text())
        for sample in family.samples
    }
    successes = samples["resilience_calls_total", "success"]
    # Who was cut off while it waited for the answer to its COMMIT does not know that it succeeded.
    assert successes <= len(left) <= successes + at_once
    assert samples["resilience_calls_total", "rejected"] == 0
    assert samples["resilience_retries_total", ""] == 0

"""A block that takes as long as a measurement did: what the hosts of a trial do."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from resilience_bench.fleet import desk

FINISHED: Final = "RESILIENCE_BENCH_FLEET_FINISHED"
"""Names the file that gets a line for each block that a host has finished."""


@dataclass(frozen=True, slots=True)
class Finish:
    """A block that a host has finished; the time is that of the machine's clock."""

    number: str
    host: str
    time_s: float


def replay(content: Mapping[str, Any]) -> dict[str, Any]:
    """Wait as long as a block took, and answer with its number."""
    time.sleep(content["seconds"])
    line = f"{content['number']},{os.environ[desk.HOST_VARIABLE]},{time.time()}\n".encode()
    descriptor = os.open(Path(os.environ[FINISHED]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)
    return {"value": {"number": content["number"]}}


def read_finishes(path: Path) -> list[Finish]:
    """Return what hosts have finished, in the order of time."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = (line.split(",") for line in lines)
    return [Finish(number, host, float(time_s)) for number, host, time_s in rows]

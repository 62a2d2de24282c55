"""A block that takes as long as a measurement did: what the hosts of a trial do."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FINISHED: Final = "RESILIENCE_BENCH_FLEET_FINISHED"
"""Names the file that gets a line for each block that a host has finished."""


def replay(content: Mapping[str, Any]) -> dict[str, Any]:
    """Wait as long as a block took, and answer with its number."""
    time.sleep(content["seconds"])
    line = f"{content['number']}\n".encode()
    descriptor = os.open(Path(os.environ[FINISHED]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)
    return {"value": {"number": content["number"]}}

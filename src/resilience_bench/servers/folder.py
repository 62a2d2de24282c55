"""An empty temporary folder, which is kept and removed like a server."""

from __future__ import annotations

from pathlib import Path

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import Recipe, choose_folder


def check_programs() -> None:
    """Do nothing: no program is needed."""


def prepare() -> Recipe:
    """Prepare a folder."""
    folder = choose_folder("folder")
    return Recipe(KeepingPlan(folder), ServerAddress(folder), Path(folder).is_dir)

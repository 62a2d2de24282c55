"""A job on a fleet, with its progress and its events on the console."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from resilience_bench._model import CaseInfo
from resilience_bench.cli.console import make_progress_console
from resilience_bench.fleet.block import Block, Reply
from resilience_bench.fleet.cases import make_needs, name_sources
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.job import Job, open_job

Show = Callable[[Block, Reply], None]
ENDING: Final = ".fleet.jsonl"
"""Of the journal beside a file of results; it is removed when that is written."""


@contextlib.contextmanager
def open_fleet(
    choice: FleetChoice, cases: Sequence[CaseInfo], signals: Sequence[str], journal: Path
) -> Iterator[tuple[Job, Show]]:
    """Open a job for cases on a fleet; FleetError if the fleet cannot do it.

    Blocks and events are shown a line each. The second part of what is yielded shows a block.
    """
    console = make_progress_console()
    tell = partial(console.print, highlight=False, markup=False, soft_wrap=True)

    def show(block: Block, reply: Reply) -> None:
        tell(f"{block.name}: measured on host {reply.host} in {reply.seconds:.0f} s")

    note = partial(tell, style="yellow")
    needs, sources = make_needs(cases, signals), name_sources(cases)
    with open_job(choice, needs, sources, journal, note) as job:
        yield job, show


def explain_how_to_go_on(journal: Path, path: Path) -> str:
    """Say where what a fleet has measured is, and how to go on."""
    return (
        f"interrupted; what was measured is in {journal}; add -o {path} to the same command to go "
        "on"
    )

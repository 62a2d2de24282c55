"""Neighbours that keep every core busy: noise that is made on purpose, and said to be there."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator


@contextlib.contextmanager
def keep_cores_busy(count: int) -> Iterator[None]:
    """So many processes that burn a core each, for as long as the context lasts."""
    context = multiprocessing.get_context("spawn")
    burners = [
        context.Process(target=_keep_core_busy, args=(os.getpid(),), daemon=True)
        for _ in range(count)
    ]
    for burner in burners:
        burner.start()
    time.sleep(1 if burners else 0)
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def _keep_core_busy(parent: int) -> None:
    while os.getppid() == parent:
        sum(range(10_000))

"""Background processes that keep cores busy: noise that is made on purpose."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator


@contextlib.contextmanager
def keep_cores_busy(count: int) -> Iterator[None]:
    """Keep as many cores busy, with a process each, for as long as the context lasts."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_keep_core_busy, args=(os.getpid(),), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    time.sleep(1 if processes else 0)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _keep_core_busy(parent: int) -> None:
    while os.getppid() == parent:
        sum(range(10_000))

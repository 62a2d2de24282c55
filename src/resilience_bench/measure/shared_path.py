"""One path that variants share in turns, so that its length affects all of them alike."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from resilience_bench.environments.variants import Variant, is_venv, link_tool
from resilience_bench.measure.launcher import ProcessLauncher
from resilience_bench.worker.protocol import Message, Plan


@dataclass(frozen=True, slots=True)
class SharedPath:
    """A folder where each variant in its turn is installed at the same path.

    The length of a path is part of the memory layout, so two copies of one environment at two
    paths would not cost the same. Workers of one variant may run side by side, those of two
    variants may not.
    """

    folder: Path
    tool: Path
    _turning: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def launcher(self, variant: Variant) -> SharedPathLauncher:
        """Return the launcher of a variant."""
        shared = self.folder / "env" / "bin" / "python"
        python = shared if is_venv(variant) else variant.python
        workers = ProcessLauncher(str(python), source=self.tool, inherit_path=False)
        return SharedPathLauncher(self, variant, workers)

    def point_at(self, variant: Variant) -> None:
        """Link ``env`` to a venv, in one atomic step; what is no venv runs where it is."""
        if not is_venv(variant):
            return
        link = self.folder / "env"
        with self._turning:
            if link.is_symlink() and link.readlink() == variant.home:
                return
            fresh = self.folder / "env.new"
            fresh.symlink_to(variant.home)
            fresh.replace(link)


@dataclass(frozen=True, slots=True)
class SharedPathLauncher:
    """Runs plans in a variant at the shared path; several threads may do so at the same time."""

    shared_path: SharedPath
    variant: Variant
    workers: ProcessLauncher

    def run(self, plan: Plan, hash_seed: int) -> list[Message]:
        """See `resilience_bench.measure.launcher.Launcher.run`."""
        self.shared_path.point_at(self.variant)
        return self.workers.run(plan, hash_seed)

    def stop(self) -> None:
        """See `resilience_bench.measure.launcher.Launcher.stop`."""
        self.workers.stop()


@contextlib.contextmanager
def create_shared_path() -> Iterator[SharedPath]:
    """Create a shared path, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="resilience-bench-") as folder:
        yield SharedPath(Path(folder), link_tool(Path(folder)))

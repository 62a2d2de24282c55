"""asv itself: measuring commits, and noting those that do not build."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asv import plugin_manager  # noqa: F401 - importing it makes asv know its own parts
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.environment import Environment as AsvEnvironment
from asv.environment import get_environments
from asv.machine import Machine
from asv.repo import get_repo
from asv.results import Results
from asv.runner import skip_benchmarks
from asv.util import UserError as AsvError

from resilience_bench.commits.asv_tool import Project
from resilience_bench.errors import HistoryError

GRACE_S: Final = 10.0
"""How long asv may take to tidy up."""
CANNOT_BUILD: Final = "Failed to build the project"
"""What asv says, and records nothing, if neither the commit nor the tip of a branch builds."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command of asv ended, and all that it printed."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Asv:
    """asv's commands for one project, on one machine.

    ``show`` is given what asv prints, line by line; ``variables`` are those of the environment that
    its processes are to have beside ours.
    """

    project: Project
    machine: str
    show: Callable[[str], None]
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def run(self, commits: Sequence[str], benchmarks: str) -> CommandResult:
        """Measure what is missing of some benchmarks in some commits.

        Args:
            commits: Their hashes.
            benchmarks: A regular expression over names.
        """
        options = ["--skip-existing", "--machine", self.machine, *self._environment()]
        command = ["run", "HASHFILE:-", "--bench", benchmarks, *options]
        return self._run_command(command, "\n".join(commits))

    def _environment(self) -> list[str]:
        # uv makes the same environments in a fraction of the time.
        is_virtualenv = self.project.settings.get("environment_type") == "virtualenv"
        return ["--environment", "uv"] if is_virtualenv and shutil.which("uv") else []

    def _run_command(self, arguments: Sequence[str], text: str) -> CommandResult:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "asv", "--config", str(self.project.conf_file), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.variables},
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        lines = []
        try:
            with process.stdin:
                process.stdin.write(text)
            for line in process.stdout:
                lines.append(line)
                self.show(line.rstrip())
            return CommandResult(process.wait(), "".join(lines))
        except BaseException:
            _interrupt(process)
            raise

    def mark_unbuilt(self, commit: str) -> None:
        """Note that a commit does not build, as asv does; asv fails where HEAD builds neither.

        Raises:
            HistoryError: If asv cannot write its results.
        """
        with contextlib.chdir(self.project.conf_file.parent):
            conf = Config.load(str(self.project.conf_file))
            try:
                machine = Machine.load(machine_name=self.machine)
                machine.save(conf.results_dir)
                for environment in list(get_environments(conf, self._environment()[1:])):
                    _make_unbuilt_results(conf, vars(machine), environment, commit).save(
                        conf.results_dir
                    )
            except (AsvError, OSError) as error:
                message = f"{commit[:8]} does not build, and asv cannot note it: {error}"
                raise HistoryError(message) from error


def _make_unbuilt_results(
    conf: Any, machine: Mapping[str, str], environment: AsvEnvironment, commit: str
) -> Results:
    params = {**machine, "python": environment.python, **environment.requirements}
    results = Results(
        params,
        environment.requirements,
        commit,
        get_repo(conf).get_date(commit),
        environment.python,
        environment.name,
        environment.env_vars,
    )
    skip_benchmarks(Benchmarks.load(conf), environment, results=results)
    return results


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End asv, and what it started, as Ctrl-C would."""
    process.stdin = None  # it is closed, and communicating would flush it
    for each in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, each)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_S)
            return

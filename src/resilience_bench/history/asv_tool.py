"""asv itself: its configuration and its commands."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asv import plugin_manager  # noqa: F401 - importing it makes asv know its own parts
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.environment import Environment as AsvEnvironment
from asv.environment import get_environments
from asv.machine import Machine, MachineCollection
from asv.repo import get_repo
from asv.results import Results
from asv.runner import skip_benchmarks
from asv.util import UserError as AsvError
from asv.util import get_memsize

from resilience_bench._model import Environment
from resilience_bench.baseline import machine_name
from resilience_bench.errors import HistoryError
from resilience_bench.installing import last_lines
from resilience_bench.jsonfile import shown

CONFIGURATION: Final = "asv.conf.json"
GRACE_S: Final = 10.0
"""How long asv may take to tidy up."""
CANNOT_BUILD: Final = "Failed to build the project"
"""What asv says, and records nothing, if neither the commit nor the tip of a branch builds."""


@dataclass(frozen=True, slots=True)
class Project:
    """What an ``asv.conf.json`` says, with absolute paths; ``settings`` is all of it."""

    conf_file: Path
    repo: str
    subdir: str
    branches: tuple[str | None, ...]
    benchmarks: Path
    results: Path
    html: Path
    settings: dict[str, Any] = dataclasses.field(repr=False)


def project(conf_file: Path) -> Project:
    """Read a configuration.

    Raises:
        HistoryError: If there is none, or asv cannot read it.
    """
    path = conf_file.absolute()
    expected = f"expected the configuration of asv; go to the folder that holds {CONFIGURATION}"
    try:
        conf = Config.load(str(path))
    except (AsvError, OSError, ValueError, TypeError) as error:
        message = f"{shown(conf_file)}: {last_lines(str(error))}; {expected}"
        raise HistoryError(message) from error
    here = path.parent
    repo = str(conf.repo)
    return Project(
        path,
        str((here / repo).resolve()) if (here / repo).exists() else repo,
        conf.repo_subdir,
        tuple(conf.branches),
        here / conf.benchmark_dir,
        here / conf.results_dir,
        here / conf.html_dir,
        dict(vars(conf)),
    )


def publish(staged: Project, folder: Path) -> None:
    """Have asv make its pages, with a configuration of their own in a folder.

    Args:
        staged: From where, and to where.
        folder: An empty folder, for the configuration.

    Raises:
        HistoryError: If asv fails; the text has its last lines.
    """
    settings = staged.settings | {
        "version": Config.api_version,
        "repo": staged.repo,
        "benchmark_dir": str(staged.benchmarks),
        "results_dir": str(staged.results),
        "html_dir": str(staged.html),
    }
    conf_file = folder / CONFIGURATION
    conf_file.write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-m", "asv", "--config", str(conf_file), "publish", "--no-pull"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = last_lines(done.stderr or done.stdout or "nothing")
        message = (
            f"{shown(staged.conf_file)}: asv could not publish the results; it said: {said}; "
            "type 'asv publish' beside that file to see all of it"
        )
        raise HistoryError(message)


def register(environment: Environment) -> str:
    """Tell asv of this machine, without asking anybody.

    What changes without being another machine (the kernel, some bytes of memory) is left out:
    asv starts a new curve whenever any of it is different.

    Returns:
        The name of the machine.

    Raises:
        HistoryError: If asv's own file about machines, in the home folder, cannot be used.
    """
    name = machine_name(environment)
    told = {
        "machine": name,
        "os": platform.system(),
        "arch": environment.machine,
        "cpu": environment.cpu_model,
        "num_cpu": str(environment.cpu_count),
        "ram": f"{round(get_memsize() / 2**30)} GB",
    }
    try:
        MachineCollection.save(name, told)
    except (AsvError, OSError) as error:
        path = MachineCollection.get_machine_file_path()
        message = f"{path}: {last_lines(str(error))}; expected asv's list of machines; mend it"
        raise HistoryError(message) from error
    return name


@dataclass(frozen=True, slots=True)
class Said:
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

    def run(self, commits: Sequence[str], benchmarks: str) -> Said:
        """Measure what is missing of some benchmarks in some commits.

        Args:
            commits: Their hashes.
            benchmarks: A regular expression over names.
        """
        options = ["--skip-existing", "--machine", self.machine, *self._environment()]
        command = ["run", "HASHFILE:-", "--bench", benchmarks, *options]
        return self._said(command, "\n".join(commits))

    def _environment(self) -> list[str]:
        # uv makes the same environments in a fraction of the time.
        is_virtualenv = self.project.settings.get("environment_type") == "virtualenv"
        return ["--environment", "uv"] if is_virtualenv and shutil.which("uv") else []

    def _said(self, arguments: Sequence[str], text: str) -> Said:
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
            return Said(process.wait(), "".join(lines))
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
                for environment in self._environments(conf):
                    _unbuilt(conf, vars(machine), environment, commit).save(conf.results_dir)
            except (AsvError, OSError) as error:
                message = f"{commit[:8]} does not build, and asv cannot note it: {error}"
                raise HistoryError(message) from error

    def _environments(self, conf: Any) -> Iterator[AsvEnvironment]:
        wanted = self._environment()[1:]
        return iter(list(get_environments(conf, wanted)))


def _unbuilt(
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
    for each in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, each)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_S)
            return

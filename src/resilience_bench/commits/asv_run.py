"""Runs asv: its configuration, list of machines, measurements and pages.

The only module that imports asv, which is an extra and takes half a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from asv import plugin_manager  # noqa: F401 - importing it makes asv find its own parts
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.environment import get_environments
from asv.machine import Machine, MachineCollection
from asv.repo import get_repo
from asv.results import Results
from asv.runner import skip_benchmarks
from asv.util import UserError as AsvError
from asv.util import get_memsize

from resilience_bench._model import Environment
from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import HistoryError
from resilience_bench.files.checked_json import format_path
from resilience_bench.gate.baseline import make_machine_name

CONFIGURATION: Final = "asv.conf.json"
ASV_ERRORS: Final = (AsvError, OSError, ValueError, TypeError)
GRACE_S: Final = 10.0
"""How long asv may take to tidy up."""


@dataclass(frozen=True, slots=True)
class Project:
    """The content of an ``asv.conf.json``, with absolute paths; ``settings`` is all of it."""

    conf_file: Path
    repo: str
    subdir: str
    branches: tuple[str | None, ...]
    results: Path
    settings: dict[str, Any] = field(repr=False)


def read_project(conf_file: Path) -> Project:
    """Read a configuration; HistoryError if there is none, or asv cannot read it."""
    path = conf_file.absolute()
    try:
        conf = Config.load(str(path))
    except ASV_ERRORS as error:
        raise HistoryError(
            f"{format_path(conf_file)}: {extract_last_lines(str(error))}; expected the "
            f"configuration of asv; go to the folder that holds {CONFIGURATION}"
        ) from error
    repo = path.parent / str(conf.repo)
    return Project(
        path,
        str(repo.resolve()) if repo.exists() else str(conf.repo),
        conf.repo_subdir,
        tuple(conf.branches),
        path.parent / conf.results_dir,
        dict(vars(conf)),
    )


def publish_pages(project: Project, results: Path, html: Path) -> None:
    """Have asv make its pages of some results; HistoryError, with its last lines, if it fails.

    asv's configuration for this is written beside the results.
    """
    settings = project.settings | {
        "version": Config.api_version,
        "repo": project.repo,
        "benchmark_dir": str(project.conf_file.parent / project.settings["benchmark_dir"]),
        "results_dir": str(results),
        "html_dir": str(html),
    }
    conf_file = results.with_name(CONFIGURATION)
    conf_file.write_text(json.dumps(settings), encoding="utf-8")
    command = [*_start_command(conf_file), "publish", "--no-pull"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if done.returncode != 0:
        reason = extract_last_lines(done.stderr or done.stdout or "nothing")
        raise HistoryError(
            f"{format_path(project.conf_file)}: asv could not publish the results; it said: "
            f"{reason}; type 'asv publish' beside that file to see all of it"
        )


def register_machine(environment: Environment) -> str:
    """Add this machine to asv's list, without asking the user, and return its name.

    What changes without being another machine (the kernel, some bytes of memory) is left out:
    asv starts a new curve whenever any of it is different. HistoryError if asv's own file about
    machines, in the home folder, cannot be used.
    """
    name = make_machine_name(environment)
    machine = {
        "machine": name,
        "os": platform.system(),
        "arch": environment.machine,
        "cpu": environment.cpu_model,
        "num_cpu": str(environment.cpu_count),
        "ram": f"{round(get_memsize() / 2**30)} GB",
    }
    try:
        MachineCollection.save(name, machine)
    except ASV_ERRORS as error:
        path, reason = MachineCollection.get_machine_file_path(), extract_last_lines(str(error))
        raise HistoryError(f"{path}: {reason}; expected asv's list of machines; mend it") from error
    return name


@dataclass(frozen=True, slots=True)
class Asv:
    """asv's commands for one project, on one machine.

    ``show`` gets what asv prints, line by line; ``variables`` are added to the environment
    variables of its processes.
    """

    project: Project
    machine: str
    show: Callable[[str], None]
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, commits: Sequence[str], benchmarks: str) -> str:
        """Measure missing benchmarks of commits, and return all that asv prints.

        ``commits`` are hashes, ``benchmarks`` a regular expression over names.
        """
        command = [*_start_command(self.project.conf_file), "run", "HASHFILE:-", "--skip-existing"]
        options = ["--bench", benchmarks, "--machine", self.machine, *self._choose_environment()]
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [*command, *options],
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
                process.stdin.write("\n".join(commits))
            for line in process.stdout:
                lines.append(line)
                self.show(line.rstrip())
            process.wait()
        except BaseException:
            _interrupt(process)
            raise
        return "".join(lines)

    def _choose_environment(self) -> list[str]:
        # uv makes the same environments in a fraction of the time.
        is_virtualenv = self.project.settings.get("environment_type") == "virtualenv"
        return ["--environment", "uv"] if is_virtualenv and shutil.which("uv") else []

    def mark_unbuilt(self, commit: str) -> None:
        """Record that a commit does not build, as asv does; asv itself fails if HEAD does not.

        HistoryError if asv cannot write its results.
        """
        with contextlib.chdir(self.project.conf_file.parent):
            try:
                conf = Config.load(str(self.project.conf_file))
                machine = Machine.load(machine_name=self.machine)
                machine.save(conf.results_dir)
                for environment in list(get_environments(conf, self._choose_environment()[1:])):
                    results = Results(
                        {**vars(machine), "python": environment.python, **environment.requirements},
                        environment.requirements,
                        commit,
                        get_repo(conf).get_date(commit),
                        environment.python,
                        environment.name,
                        environment.env_vars,
                    )
                    skip_benchmarks(Benchmarks.load(conf), environment, results=results)
                    results.save(conf.results_dir)
            except ASV_ERRORS as error:
                raise HistoryError(
                    f"{commit[:8]} does not build, and asv cannot record it: {error}"
                ) from error


def _start_command(conf_file: Path) -> list[str]:
    return [sys.executable, "-m", "asv", "--config", str(conf_file)]


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End asv, and what it started, as Ctrl-C would."""
    process.stdin = None  # it is closed, and communicating would flush it
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_S)
            return

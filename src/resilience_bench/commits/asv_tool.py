"""asv itself: its configuration, its list of machines and its pages."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asv.config import Config
from asv.machine import MachineCollection
from asv.util import UserError as AsvError
from asv.util import get_memsize

from resilience_bench._model import Environment
from resilience_bench.environments.pip import extract_last_lines
from resilience_bench.errors import HistoryError
from resilience_bench.files.checked_json import format_path
from resilience_bench.gate.baseline import make_machine_name

CONFIGURATION: Final = "asv.conf.json"


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


def read_project(conf_file: Path) -> Project:
    """Read a configuration.

    Raises:
        HistoryError: If there is none, or asv cannot read it.
    """
    path = conf_file.absolute()
    expected = f"expected the configuration of asv; go to the folder that holds {CONFIGURATION}"
    try:
        conf = Config.load(str(path))
    except (AsvError, OSError, ValueError, TypeError) as error:
        message = f"{format_path(conf_file)}: {extract_last_lines(str(error))}; {expected}"
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
        said = extract_last_lines(done.stderr or done.stdout or "nothing")
        message = (
            f"{format_path(staged.conf_file)}: asv could not publish the results; it said: {said}; "
            "type 'asv publish' beside that file to see all of it"
        )
        raise HistoryError(message)


def register_machine(environment: Environment) -> str:
    """Tell asv of this machine, without asking anybody.

    What changes without being another machine (the kernel, some bytes of memory) is left out:
    asv starts a new curve whenever any of it is different.

    Returns:
        The name of the machine.

    Raises:
        HistoryError: If asv's own file about machines, in the home folder, cannot be used.
    """
    name = make_machine_name(environment)
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
        message = (
            f"{path}: {extract_last_lines(str(error))}; expected asv's list of machines; mend it"
        )
        raise HistoryError(message) from error
    return name

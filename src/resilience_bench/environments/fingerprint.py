"""Where a result was measured: the interpreter, the machine, the packages, the commit."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import platform
import re
import sys
import sysconfig
from pathlib import Path

from resilience_bench._model import Commit, Environment
from resilience_bench.environments.git import try_git
from resilience_bench.worker.gil import is_gil_enabled


def detect_environment() -> Environment:
    """Return the environment of this interpreter on this machine."""
    build, date = platform.python_build()
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        python_build=f"{build} {date}; {platform.python_compiler()}",
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        cpu_model=_detect_cpu_model(),
        cpu_count=os.cpu_count() or 1,
        os=_detect_os_name(),
        kernel=platform.release(),
        machine=platform.machine(),
        packages=_list_packages(tuple(sys.path)),
        gil_enabled=is_gil_enabled(),
    )


def format_python_name(environment: Environment) -> str:
    """Return e.g. ``CPython 3.13.0t``: the ``t`` is in the names of free-threaded interpreters."""
    return f"{environment.python}{'t' if environment.free_threaded else ''}"


def read_load_average() -> tuple[float, ...]:
    """Return the load averages over 1, 5 and 15 minutes; empty where the system has none."""
    try:
        return tuple(round(load, 2) for load in os.getloadavg())
    except OSError:
        return ()


def find_commit(directory: Path) -> Commit | None:
    """Return the git commit of a directory, and whether its tree was clean; None outside git."""
    revision = try_git(directory, "rev-parse", "HEAD")
    changes = try_git(directory, "status", "--porcelain", "--untracked-files=no")
    if revision is None or changes is None:
        return None
    return Commit(revision.strip(), clean=not changes.strip())


@functools.cache  # reading what is installed takes longer than all else here
def _list_packages(path: tuple[str, ...]) -> dict[str, str]:
    """Return the packages in these folders; another ``sys.path`` has others."""
    import importlib.metadata  # noqa: PLC0415 - takes time that only this function needs

    installed = importlib.metadata.distributions(path=list(path))
    found = {one.metadata["Name"]: one.version for one in installed}
    return {name: found[name] for name in sorted(found, key=str.lower) if name}


def _detect_cpu_model() -> str:
    """Return the processor's name, with its family and model where the system has them.

    Virtual machines hide the name: "AMD EPYC" are generations that differ by a fifth in speed.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    fields = dict(re.findall(r"^(model name|cpu family|model)[ \t]*: *(.*)$", text, re.MULTILINE))
    name = fields.get("model name", "").strip() or platform.processor() or platform.machine()
    numbers = {"family": fields.get("cpu family", ""), "model": fields.get("model", "")}
    known = [f"{word} {number}" for word, number in numbers.items() if number.isdigit()]
    return " ".join([name, *known])


def _detect_os_name() -> str:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, KeyError):
            return platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{platform.system()} {platform.release()}"


def now() -> str:
    """Return the current time in UTC, to the second, as ISO 8601."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

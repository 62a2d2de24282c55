"""Queries other interpreters, makes venvs of them, and installs into these with pip."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from resilience_bench.errors import VariantError

SHOWN_LINES: Final = 3
SHOWN_CHARACTERS: Final = 200
OTHER_PYTHON: Final = ("is not a supported wheel on this platform", "requires a different Python")
"""What pip says of a wheel that does not fit the interpreter."""
VERSION_VARIABLES: Final = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION")
"""Tell the builders that read git's tags (setuptools-scm, hatch-vcs, pdm) a version."""

NO_REASONS: Final = (
    "WARNING: ",
    "error: subprocess-exited-with-error",
    "\u00d7 ",
    "\u2502 exit code: ",
    "\u2570\u2500> See above",
    "[end of output]",
    "note: This error originates from a subprocess",
)
"""How lines begin with which pip frames the reason why a program failed that it started."""
Installer = Callable[..., str]
"""`install_packages` with a given pip."""


def query_interpreter(python: Path, program: str, **variables: str) -> Any:
    """Return what a program prints as JSON; it may fail, see `refuse_unusable_interpreter`."""
    done = subprocess.run(  # noqa: S603 - the command is ours
        [str(python), "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**_build_environment(), **variables},
    )
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        printed = _shorten(done.stdout.strip())
        raise ValueError(f"asked about itself, it printed {printed!r}") from error


@contextlib.contextmanager
def refuse_unusable_interpreter(text: str) -> Iterator[None]:
    """Raise VariantError for what cannot be queried as an interpreter, named as the user did."""
    try:
        yield
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = extract_last_lines(getattr(error, "stderr", None) or str(error))
        raise VariantError(
            f"{text}: it does not run as Python 3.11 or newer: {reason}; name another one"
        ) from error


def create_venv(text: str, base: Path, home: Path) -> None:
    """Make a virtual environment without pip; VariantError if ``base`` (``text``) cannot."""
    command = [str(base), "-m", "venv", "--without-pip", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if done.returncode:
        reason = extract_last_lines(f"{done.stdout}\n{done.stderr}")
        raise VariantError(
            f"{text}: it cannot make a virtual environment: {reason}; expected its "
            "module venv; install that (apt-get install python3-venv), or name another interpreter"
        )


def install_packages(
    owner: Path | None, python: Path, *arguments: str, constraints: Mapping[str, str] | None = None
) -> str:
    """Install into an environment, and return pip's error; nothing if there was none.

    ``owner`` is an interpreter with a pip, None for the running one: an older pip than the
    environment's own takes wheels that it cannot use. VariantError if the running one has no pip.
    """
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    with NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"{name}=={pin}\n" for name, pin in (constraints or {}).items())
        file.flush()
        bounds = ["--constraint", file.name] if constraints else []
        return _run(owner, python, "install", *options, *bounds, *arguments)


def build_wheel(owner: Path | None, python: Path, source: str, folder: Path, version: str) -> str:
    """Make a wheel of a folder, an sdist or a URL, and return pip's error; nothing if none.

    ``version`` is for a folder whose version is that of its git tags, which a copy does not have;
    empty for what knows its version. For ``owner`` see `install_packages`.
    """
    pretended = {name: version for name in VERSION_VARIABLES if version and name not in os.environ}
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    arguments = (*options, "--wheel-dir", str(folder), source)
    return _run(owner, python, "wheel", *arguments, variables=pretended)


def build_here(source: str, folder: Path, version: str) -> str:
    """Make a wheel like `build_wheel`, for the running interpreter."""
    return build_wheel(None, Path(sys.executable), source, folder, version)


def _run(
    owner: Path | None,
    python: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run pip for an interpreter, and return its error."""
    if owner is None and importlib.util.find_spec("pip") is None:
        raise VariantError(
            f"{sys.executable} has no pip, which is expected to fill the environments to compare; "
            f"type '{sys.executable} -m ensurepip'"
        )
    done = subprocess.run(  # noqa: S603 - the command is ours
        [str(owner or sys.executable), "-m", "pip", "--python", str(python), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**_build_environment(), **(variables or {})},
    )
    return extract_last_lines(done.stderr or "nothing") if done.returncode else ""


def refuse_pip_failure(text: str, reason: str) -> None:
    """Raise VariantError for a variant that pip could not install, if there is pip's reason."""
    if any(words in reason for words in OTHER_PYTHON):
        raise VariantError(
            f"{text}: it is for another Python or another platform: {reason}; expected one that "
            "fits the interpreter; type --base-python or --head-python with one that it fits"
        )
    if reason:
        raise VariantError(
            f"{text}: pip could not install it; it said: {reason}; expected "
            "releases that exist and can be reached; mend the variant and type the command again"
        )


def extract_last_lines(output: str) -> str:
    """Return the last lines that are not mere warnings, or frames, joined and shortened."""
    lines = [line.strip().removeprefix("ERROR: ") for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(NO_REASONS)] or lines
    return " | ".join(map(_shorten, lines[-SHOWN_LINES:]))


def _shorten(line: str) -> str:
    half = SHOWN_CHARACTERS // 2
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:half]} ... {line[-half:]}"


def _build_environment() -> dict[str, str]:
    # PYTHONPATH would count as installed, and --user is refused inside a venv.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PIP_USER": "0"}

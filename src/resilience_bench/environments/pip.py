"""Asks other interpreters what they are, and has pip install into them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from resilience_bench.errors import VariantError

SHOWN_LINES: Final = 3
SHOWN_CHARACTERS: Final = 200


def query_interpreter(python: Path, question: str, **more: str) -> Any:
    """What a program prints as JSON that another interpreter runs.

    Args:
        python: The interpreter.
        question: The program.
        more: Environment variables for it, beside our own.

    Raises:
        OSError: If it cannot be started.
        subprocess.SubprocessError: If it fails, or does not end.
        ValueError: If it prints something else.
    """
    done = subprocess.run(  # noqa: S603 - the command is ours
        [str(python), "-c", question],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**_build_environment(), **more},
    )
    return json.loads(done.stdout)


def install_with_own_pip(
    python: Path, *arguments: str, constraints: Mapping[str, str] | None = None
) -> str:
    """Install into another environment with our own pip.

    Args:
        python: The interpreter of the environment.
        arguments: What to install, and pip's options.
        constraints: Versions by name, from which pip may not depart.

    Returns:
        What pip said last if it failed, else nothing.

    Raises:
        VariantError: If there is no pip here.
    """
    if importlib.util.find_spec("pip") is None:
        message = (
            f"{sys.executable} has no pip, which is expected to fill the environments to compare; "
            f"type '{sys.executable} -m ensurepip'"
        )
        raise VariantError(message)
    return install_with_pip_of(Path(sys.executable), python, *arguments, constraints=constraints)


def install_with_pip_of(
    owner: Path, python: Path, *arguments: str, constraints: Mapping[str, str] | None = None
) -> str:
    """The same with the pip of the interpreter ``owner``, which has one."""
    with NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"{name}=={pin}\n" for name, pin in (constraints or {}).items())
        file.flush()
        bounds = ["--constraint", file.name] if constraints else []
        command = [str(owner), "-m", "pip", "--python", str(python), "install", "--quiet"]
        done = subprocess.run(  # noqa: S603 - the command is ours
            [*command, "--disable-pip-version-check", "--no-input", *bounds, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=_build_environment(),
        )
    return extract_last_lines(done.stderr or "nothing") if done.returncode else ""


def refuse_pip_failure(text: str, said: str) -> None:
    """Refuse a variant of which pip said something.

    Raises:
        VariantError: With what it said.
    """
    if said:
        message = (
            f"{text}: pip could not install it; it said: {said}; expected "
            "releases that exist and can be reached; mend the variant and type the command again"
        )
        raise VariantError(message)


def create_interpreter_error(text: str, error: Exception) -> VariantError:
    """The error for what was given as an interpreter, and is none, or too old."""
    said = extract_last_lines(getattr(error, "stderr", None) or str(error))
    return VariantError(
        f"{text}: it does not run as Python 3.11 or newer: {said}; name another one"
    )


def extract_last_lines(said: str) -> str:
    """The last lines that are not mere warnings, as one line that is not too long."""
    lines = [line.strip().removeprefix("ERROR: ") for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("WARNING: ")] or lines
    return " | ".join(map(_shorten, lines[-SHOWN_LINES:]))


def _shorten(line: str) -> str:
    half = SHOWN_CHARACTERS // 2
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:half]} ... {line[-half:]}"


def _build_environment() -> dict[str, str]:
    # PYTHONPATH would count as installed, and --user is refused inside a venv.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PIP_USER": "0"}


def format_pins(pins: Mapping[str, str], without: Iterable[str] = ()) -> list[str]:
    """Versions by name as pip wants them."""
    left_out = set(without)
    return [f"{name}=={pin}" for name, pin in pins.items() if name not in left_out]

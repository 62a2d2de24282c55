"""Runs git: the only module that starts it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from resilience_bench.errors import GitError


def run_git_bytes(folder: Path, *arguments: str, content: bytes = b"") -> bytes:
    """Run git with ``content`` as its input, and return what it prints; GitError if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - every caller names the subcommand
            ["git", *arguments],  # noqa: S607 - the user's git
            cwd=folder,
            input=content,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise GitError(
            f"git is not installed, or {folder} does not exist; expected a git repository; "
            "type 'apt-get install git' or name another folder"
        ) from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(
            f"{folder}: git {arguments[0]} failed: {lines[0] if lines else error}; expected a git "
            "repository and git 2.28 or newer; type 'git status' there, and 'git --version'"
        ) from error
    return done.stdout


def run_git(folder: Path, *arguments: str, text: str = "") -> str:
    """Run git in a folder and return the text that it prints; see `run_git_bytes`."""
    return run_git_bytes(folder, *arguments, content=text.encode()).decode(errors="replace")


def try_git(folder: Path, *arguments: str, errors: str = "replace") -> str | None:
    """Run git and return its text, None if it fails; paths need ``errors="surrogateescape"``."""
    try:
        return run_git_bytes(folder, *arguments).decode(errors=errors)
    except GitError:
        return None

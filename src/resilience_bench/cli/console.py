"""The consoles of every command: how wide they are, and when they are silent."""

from __future__ import annotations

from typing import Final

import click
from rich.console import Console

UNLIMITED_WIDTH: Final = 10_000
"""Files and pipes have no width: nothing is wrapped or cut there."""


def make_console(*, obeys_quiet: bool = True) -> Console:
    """Return the console for results; with -q it prints nothing, unless it need not obey."""
    return _widen(Console(quiet=obeys_quiet and _has_flag("quiet")))


def make_progress_console() -> Console:
    """Return the console for progress and notes; it prints nothing with --no-progress or -q."""
    return _widen(Console(stderr=True, quiet=_has_flag("quiet") or _has_flag("no_progress")))


def _has_flag(name: str) -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get(name))


def _widen(console: Console) -> Console:
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    return console

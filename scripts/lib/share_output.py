"""What the scripts about shares print and keep: a heading, lines and a table."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.environments.fingerprint import detect_environment

RESULTS: Final = Path("results/share.txt")
"""Where the figures are kept, the latest ones last."""
WIDTH: Final = 110


def write_section(
    title: str, rows: Mapping[str, Sequence[str]], headers: Sequence[str], path: Path, *foot: str
) -> None:
    """Print a title, a table and lines below it with date and machine; append them to a file."""
    here = detect_environment()
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    for header in headers:
        table.add_column(header, justify="right")
    for name, cells in rows.items():
        # Text, not str: a name in brackets is no markup.
        table.add_row(Text(name), *cells)
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, highlight=False)
    console.print(
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {here.python}, {here.cpu_count} x {here.cpu_model}"
    )
    console.print(title)
    console.print(table)
    for line in foot:
        console.print(line)
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
    print(text, end="")
    before = path.read_text(encoding="utf-8") + "\n" if path.exists() else ""
    path.write_text(before + text, encoding="utf-8")

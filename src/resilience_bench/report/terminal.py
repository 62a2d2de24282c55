"""Text and aligned tables for a terminal: no name and no number is ever cut in two."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience_bench.report.blocks import NO_VALUE
from resilience_bench.report.text import fold_name

LABEL: Final = "label"
"""The key of the first column, which alone is folded where a table is too wide."""
Headers = Mapping[str, str]
Cells = Mapping[str, str]


def choose_widths(
    tables: Iterable[tuple[Headers, Sequence[Cells]]],
    limit: int,
    *,
    optional: Iterable[str] = (),
    gap: int = 1,
) -> dict[str, int]:
    """Return the widths of the columns that several tables share, within a width if possible.

    The ``optional`` columns are left out, in this order, while a table is too wide.
    """
    tables = list(tables)
    widths: dict[str, int] = {}
    least = 0
    for headers, rows in tables:
        for key, header in headers.items():
            texts = [header, *(row.get(key, NO_VALUE) for row in rows)]
            widths[key] = max(widths.get(key, 0), *map(cell_len, texts))
        parts = (part for row in rows for part in fold_name(row[LABEL], 1).split("\n"))
        least = max([least, *map(cell_len, parts)])

    def compute_excess() -> int:
        shown = ([widths[key] + gap for key in headers if key in widths] for headers, _ in tables)
        return max(map(sum, shown), default=0) - gap - limit

    for key in optional:
        if compute_excess() > 0:
            widths.pop(key, None)
    if LABEL in widths:
        widths[LABEL] = max(widths[LABEL] - max(compute_excess(), 0), least)
    return widths


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, or of several that stand in line with each other.

    Attributes:
        headers: The columns to show, as far as they have a width.
        widths: What `choose_widths` returned.
        gap: How far they are apart.
        words: Those that stand at the left, like the labels; numbers stand at the right.
        styles: The styles of some of them.
    """

    headers: Headers
    widths: Mapping[str, int]
    gap: int = 1
    words: Collection[str] = ()
    styles: Mapping[str, str] = field(default_factory=dict)

    def print_header(self, console: Console) -> None:
        """Print what stands above the columns."""
        self.print_row(self.headers, console, "dim")

    def print_row(self, cells: Cells, console: Console, style: str = "") -> None:
        """Print a row; a dash stands where it has no cell."""
        grid = Table.grid(padding=(0, self.gap, 0, 0))
        texts = []
        for key in self.headers:
            if width := self.widths.get(key):
                is_left = key == LABEL or key in self.words
                grid.add_column(
                    justify="left" if is_left else "right", min_width=width, no_wrap=True
                )
                text = fold_name(cells[key], width) if key == LABEL else cells.get(key, NO_VALUE)
                # Text, not str: a name in brackets is no markup.
                texts.append(Text(text, style=style or self.styles.get(key, "")))
        grid.add_row(*texts)
        console.print(grid, crop=False)


def print_line(text: str | Text, console: Console, style: str = "") -> None:
    """Print a line that only the terminal wraps: names and commands can be copied."""
    console.print(Text(text, style=style) if isinstance(text, str) else text, soft_wrap=True)


def print_prose(text: str, console: Console, style: str = "", indent: int = 0) -> None:
    """Print sentences that are wrapped between words, within the width of the console."""
    indent = min(indent, console.width // 2)
    lines = textwrap.wrap(
        text, console.width - indent, break_long_words=False, break_on_hyphens=False
    )
    for line in lines:
        print_line(f"{' ' * indent}{line}", console, style)

"""Put the figures of results/stack-costs.txt into the pages about the stack.

A page says between two comments what it wants to show, one line a row::

    <!-- costs
    a call that succeeds = composed.guarded
    -->
    ...
    <!-- /costs -->

What stands after the first comment is written here, so the pages never differ from the results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["PAGES", "fill", "read", "write"]

PAGES: Final = Path("docs/stack")
SOURCE: Final = "[results/stack-costs.txt](../../results/stack-costs.txt)"
PLACE: Final = re.compile(r"(<!-- costs\n(.*?)-->\n).*?(<!-- /costs -->)", re.DOTALL)
Cells = Mapping[str, str]


def read(text: str) -> tuple[str, dict[str, Cells]]:
    """Return what was measured where, and the cells of each case by the header of their column."""
    description, header, *lines = text.splitlines()
    # All columns of figures are flush right with their header, the others flush left.
    ends = [header.index(name) + len(name) for name in ("us", "± %", "obvious", "cheapest")]
    starts = [header.index("us") - 8, *ends]
    target = header.index("target")
    rows: dict[str, Cells] = {}
    for line in lines:
        if not re.match(r"[a-z]+\.[a-z_]+", line):
            break
        case = line.split()[0]
        cells = [
            line[len(case) if at == 0 else start : end].strip()
            for at, (start, end) in enumerate(zip(starts, ends, strict=False))
        ]
        names = ("us", "±", "obvious", "cheapest")
        library = line[ends[-1] : target].strip()
        rows[case] = {**dict(zip(names, cells, strict=True)), "library": library}
    return description, rows


def fill(page: str, text: str) -> str:
    """Return a page with the figures of a text that ``scripts/stack-costs`` has written."""
    description, rows = read(text)

    def put(found: re.Match[str]) -> str:
        begin, wanted, end = found.groups()
        return begin + "\n" + "\n".join(_write_table(wanted, description, rows)) + "\n\n" + end

    return PLACE.sub(put, page)


def write(text: str, pages: Path = PAGES) -> None:
    """Fill all pages of a folder."""
    for page in sorted(pages.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = fill(before, text)
        if after != before:
            page.write_text(after, encoding="utf-8")


def _write_table(wanted: str, description: str, rows: Mapping[str, Cells]) -> Iterator[str]:
    yield "| what | µs | obvious composition ÷ stack | stack ÷ cheapest other library |"
    yield "| --- | ---: | ---: | ---: |"
    for line in wanted.splitlines():
        words, _, case = line.partition(" = ")
        cells = rows.get(case, {"us": "not measured"})
        times = cells.get("obvious", "").removesuffix(" ×")
        share = cells.get("cheapest", "").removesuffix(" ×")
        library = f" ({cells['library']})" if share else ""
        yield f"| {words} (`{case}`) | {cells['us']} | {times} | {share}{library} |"
    yield ""
    yield f"Written by `scripts/stack-costs`, with all other parts in {SOURCE}: {description}."

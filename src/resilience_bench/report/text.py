"""Text of measured programs, made safe to show, and names in several lines."""

from __future__ import annotations

import re


def clean_text(text: str) -> str:
    """Return text on one line, without characters that steer a terminal."""
    printable = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(printable).split())


def fold_name(name: str, width: int, separators: str = ",+ ") -> str:
    """Return a name in lines of at most this width, each ended by a separator.

    Every line is indented like the name. A part that is longer stays whole.
    """
    from rich.cells import cell_len  # noqa: PLC0415 - `list` cleans names, and starts without rich

    indent = " " * (len(name) - len(name.lstrip()))
    lines = [indent]
    for part in re.split(f"(?<=[{separators}])", name.lstrip()):
        if lines[-1].strip() and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append(indent)
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)

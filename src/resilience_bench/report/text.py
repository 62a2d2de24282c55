"""Text of measured programs, made safe to show."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Return text on one line, without characters that steer a terminal."""
    printable = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(printable).split())

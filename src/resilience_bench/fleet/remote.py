"""The one function that travels as code: a scheduler reads it without having this package."""

from __future__ import annotations

from typing import Any


def call_by_name(module: str, name: str, *args: Any) -> Any:
    """Call a function of a module that the host has."""
    import importlib  # noqa: PLC0415 - only this function travels, not what stands above it

    return getattr(importlib.import_module(module), name)(*args)

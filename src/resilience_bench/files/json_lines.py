"""JSON with one member a line down to some depth, so that a diff shows what changed."""

from __future__ import annotations

import json


def format_json(value: object, depth: int, indent: str = "\n") -> str:
    """Format a value as JSON; ``depth`` levels of containers have a line for each member."""
    if depth == 0 or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent} "
    if isinstance(value, dict):
        lines = [
            f"{json.dumps(key, ensure_ascii=False)}: {format_json(member, depth - 1, inner)}"
            for key, member in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(lines)}{indent}}}"
    lines = [format_json(member, depth - 1, inner) for member in value]
    return f"[{inner}{f',{inner}'.join(lines)}{indent}]"

"""The journal of a job: every finished block, a JSON line each, so that none is measured twice."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from resilience_bench.files import atomic
from resilience_bench.files.checked_json import format_path
from resilience_bench.fleet.block import Reply
from resilience_bench.fleet.errors import FleetError

SCHEMA: Final = 1
T = TypeVar("T")


@dataclass(slots=True)
class Journal:
    """The finished blocks of one kind of host; those of other kinds stay in the file.

    ``job`` is part of every key, so that another job measures anew. ``plan`` is what
    the division of the work depends on, as it was when it began: it must not change the blocks.
    """

    path: Path
    kind: str
    job: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)

    def add(self, reply: Reply) -> None:
        """Append a finished block; a later one of the same key replaces it."""
        self._append({"kind": self.kind, "reply": dataclasses.asdict(reply)})
        self.replies[reply.key] = reply

    def remember(self, name: str, value: T) -> T:
        """Return a part of the plan as it was at first; this value if there is none yet."""
        if name not in self.plan:
            self._append({"kind": self.kind, "name": name, "value": value})
            self.plan[name] = value
        first: T = self.plan[name]
        return first

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        # One write: another reader, and a crash, find the whole line or a last one without an end.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            view = memoryview(text.encode())
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_journal(path: Path, kind: str) -> Journal:
    """Open the journal at a path for a kind of host, or begin one.

    A last line that was cut short is removed: its block is measured again. FleetError if the file
    is something else; UnwritableOutputError if it cannot be written.
    """
    atomic.ensure_writable(path)
    journal = Journal(path, kind)
    if not path.exists():
        journal.job = uuid.uuid4().hex
        atomic.write_text(json.dumps({"schema": SCHEMA, "job": journal.job}) + "\n", path)
        return journal
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        atomic.write_bytes(whole, path)
    try:
        lines = _read_lines(whole)
        journal.job = _check_head(next(lines, {}), path)
        for line in lines:
            if line["kind"] == kind and "name" in line:
                journal.plan[line["name"]] = line["value"]
            elif line["kind"] == kind:
                reply = msgspec.convert(line["reply"], Reply)
                journal.replies[reply.key] = reply
    except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise FleetError(
            f"{format_path(path)}: expected the journal of a fleet, found something else "
            f"({error}); move it away, or add --fresh"
        ) from error
    return journal


def _read_lines(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        found = json.loads(line)
        if not isinstance(found, dict):
            raise TypeError(f"a line is no object: {line[:40]!r}")
        yield found


def _check_head(head: dict[str, Any], path: Path) -> str:
    if head.get("schema") != SCHEMA:
        raise FleetError(
            f"{format_path(path)}: expected a journal of schema {SCHEMA}, found "
            f"{head.get('schema')!r}; it is of another version of the tool: move it away"
        )
    return str(head["job"])

"""Stored files, which people may have changed: checked thoroughly, refused in one line."""

from __future__ import annotations

import contextlib
import json
import math
import re
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from resilience_bench.errors import UserError

MOST_DIGITS: Final = 400
T = TypeVar("T")


def format_path(path: Path) -> str:
    """Return the path as text on one line."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def describe_value(value: object) -> str:
    """Return a few characters that describe what was found."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value, default=str)[:40]


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


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file to read: its expected kind, the error if it is refused, and what to type then."""

    path: Path
    kind: str
    error: type[UserError]
    remedy: str
    language: str = "JSON"

    def refuse(self, key: str, complaint: str, remedy: str = "") -> NoReturn:
        """Raise the error, with file, key, what was expected and found, and what to type."""
        where = f"key {key}: " if key else ""
        message = f"{format_path(self.path)}: {where}{complaint}; {remedy or self.remedy}"
        raise self.error(" ".join(message.split()))

    def read_content(self) -> str:
        """Return the text of the file; refuse what is no file or no text."""
        path = self.path
        try:
            if path.exists() and not (path.is_file() or path.is_fifo() or path.is_dir()):
                self.refuse("", f"expected {self.kind}, found a device")
            content = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            found = f"found something else at byte {error.start}"
            self.refuse("", f"expected {self.language} in UTF-8, {found}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.refuse("", f"expected {self.kind}, found: {reason}")
        return content

    def parse(self, content: str) -> dict[str, Any]:
        """Parse a JSON object; refuse numbers that are not finite, with their key."""
        if not content.strip():
            self.refuse("", f"expected {self.kind}, found an empty file")
        try:
            # Python's own parser: it reads NaN, so that its place can be named.
            stored = json.loads(content, parse_int=_parse_whole_number)
        except json.JSONDecodeError as error:
            open_end = content.lstrip().startswith("{") and not content.rstrip().endswith("}")
            cut = open_end and error.msg != "Extra data"
            found = "a file that is cut short" if cut else f"none ({error.msg})"
            where = f"line {error.lineno} column {error.colno}"
            self.refuse("", f"expected JSON, found {found} at {where}")
        except RecursionError:
            self.refuse("", f"expected {self.kind}, found something nested too deeply")
        if not isinstance(stored, dict):
            self.refuse(
                "", f"expected an object with the key schema, found {describe_value(stored)}"
            )
        for key, number in _find_numbers(stored):
            if not math.isfinite(number):
                self.refuse(key, f"expected a finite number, found {number}")
        return stored

    def parse_toml(self, content: str) -> dict[str, Any]:
        """Parse TOML; refuse what is none."""
        try:
            return tomllib.loads(content)
        except ValueError as error:  # also what Python says of a number of thousands of digits
            self.refuse("", f"expected TOML, found none ({error})")
        except RecursionError:
            self.refuse("", f"expected {self.kind}, found something nested too deeply")

    def check_schema(self, stored: dict[str, Any], newest: int) -> None:
        """Refuse a file whose key ``schema`` is not a number from 1 to the newest known."""
        schema = stored.get("schema")
        if type(schema) is int and schema > newest:
            complaint = f"expected at most {newest}, found {schema}, which a newer version wrote"
            self.refuse("schema", complaint, "type 'pip install --upgrade resilience-bench'")
        if type(schema) is not int or schema < 1:
            found = describe_value(schema) if "schema" in stored else "no such key"
            self.refuse("schema", f"expected the number {newest} of {self.kind}, found {found}")

    def convert(self, stored: dict[str, Any], wanted: type[T]) -> T:
        """Convert the object to a dataclass; refuse what does not fit, with its key."""
        try:
            return msgspec.convert(stored, wanted, str_keys=True)
        except msgspec.ValidationError as error:
            text = str(error).replace("- at `key` in `$", "as one of its names - at `$")
            complaint, _, path = text.partition(" - at `$")
            key, kind = _locate_key(stored, wanted, path.rstrip("`"))
            if "enum" in complaint:
                complaint += f"; expected one of {', '.join(get_args(kind))}"
            self.refuse(key, complaint)
        except UnicodeEncodeError:
            self.refuse("", "expected Unicode text, found half a surrogate pair")


def _locate_key(stored: object, wanted: Any, path: str) -> tuple[str, Any]:
    """Return the key, with the names that msgspec leaves out of mappings, and its type."""
    value: Any = stored
    key = ""
    for field, position in re.findall(r"(\w+)|\[(\d+|\.\.\.)\]", path):
        step: Any = field or position
        if field:
            wanted = get_type_hints(wanted)[field]
        elif position.isdigit():
            wanted, step = get_args(wanted)[0], int(position)
        else:
            wanted = get_args(wanted)[1]
            step = next(name for name in value if not _fits(value[name], wanted))
        if get_origin(wanted) is types.UnionType:
            wanted = next(kind for kind in get_args(wanted) if kind is not types.NoneType)
        key += f"[{step}]" if isinstance(step, int) else f".{step}"
        value = value[step]
    return key.lstrip("."), wanted


def _fits(value: object, wanted: Any) -> bool:
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert(value, wanted, str_keys=True)
        return True
    return False


def _parse_whole_number(digits: str) -> int | float:
    # Python refuses to read numbers of thousands of digits; infinity is refused with its key.
    return int(digits) if len(digits) <= MOST_DIGITS else math.inf


def _find_numbers(value: object, key: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _find_numbers(member, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _find_numbers(member, f"{key}[{position}]")
    elif isinstance(value, float):
        yield key, value

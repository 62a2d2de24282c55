"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from resilience_bench.errors import UnwritableOutputError
from resilience_bench.files.checked_json import format_path

OTHER_FILE: Final = "give the name of another file with "
ANOTHER_OUTPUT: Final = f"{OTHER_FILE}--output"


def ensure_writable(path: Path, remedy: str = ANOTHER_OUTPUT) -> None:
    """Make a file's folder; UnwritableOutputError, with the remedy, if it cannot be written."""
    with _explain_errors(path, remedy):
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # A rename would put a plain file in the place of /dev/null.
            kind = "a folder" if target.is_dir() else "a device or a pipe"
            raise UnwritableOutputError(
                f"cannot write {format_path(path)}: it is {kind}, not a file; {remedy}"
            )
        probe = _get_temporary_path(target)
        probe.write_bytes(b"\n")
        probe.unlink()


def write_text(text: str, path: Path) -> None:
    """Write a text to a temporary file that then replaces the named one, or leaves it as it was."""
    write_bytes(text.encode("utf-8", errors="replace"), path)


def write_bytes(content: bytes, path: Path, remedy: str = ANOTHER_OUTPUT) -> None:
    """Write bytes as `write_text` does; for ``remedy`` see `ensure_writable`."""
    with _explain_errors(path, remedy):
        target = path.resolve()
        temporary = _get_temporary_path(target)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _get_temporary_path(target: Path) -> Path:
    return target.with_name(f".{os.getpid()}.tmp")


@contextlib.contextmanager
def _explain_errors(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnwritableOutputError(
            f"cannot write {format_path(path)}: {reason}; {remedy}"
        ) from error

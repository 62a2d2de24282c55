"""Standard output and error of a command that is read by `head`, or by an ASCII terminal."""

from __future__ import annotations

import io
import os
import sys


class PipeSafeStream(io.TextIOWrapper):
    """A text stream that discards what is written after its reader has gone."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            super().flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def protect_output() -> None:
    """Let a command end with its own exit code on a closed pipe, and show `?` for µ in ASCII."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
            if stream is getattr(sys, f"__{name}__"):
                out = io.BufferedWriter(io.FileIO(stream.fileno(), "w", closefd=False))
                buffered_by_line = stream.line_buffering
                safe = PipeSafeStream(out, stream.encoding, "replace", None, buffered_by_line)
                setattr(sys, name, safe)

"""Serves a folder to this machine only."""

from __future__ import annotations

import errno
import functools
import http.server
from pathlib import Path
from typing import Any, Final

from resilience_bench.errors import UserError

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8000
MAX_PORT: Final = 65535


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A file server without a line on the terminal for each file."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its parent's name
        """Say nothing."""

    def end_headers(self) -> None:
        """Stop the browser from caching: the site may be made again while it is served."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def make_server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Make a server of a folder, which does not serve yet; port 0 is any that is free.

    Raises `UserError` if the port is taken, or may not be used.
    """
    handler = functools.partial(_QuietHandler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        found = "it is taken" if taken else (error.strerror or str(error))
        other = port + 1 if taken and port < MAX_PORT else 0 if taken else PORT
        raise UserError(
            f"cannot serve on port {port} of {LOOPBACK}: {found}; type "
            f"'resilience-bench site --serve --port {other}', or --port 0 for any that is free"
        ) from error


def format_address(serving: http.server.ThreadingHTTPServer) -> str:
    """Return what to type into a browser."""
    return f"http://{LOOPBACK}:{serving.server_address[1]}/"

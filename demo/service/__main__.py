"""Serves the shop with several workers, by the settings in the current folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import uvicorn

from demo.service.settings import Settings

GRACE_S: Final = 2
"""How long requests may take after the service was asked to end."""


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.read()
    folder = Path("metrics").absolute()
    folder.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # before a worker imports the client
    uvicorn.run(
        "demo.service.app:make_app",
        factory=True,
        host="127.0.0.1",
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )


if __name__ == "__main__":
    main()

"""The settings with which the service starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

FILE: Final = "settings.json"
"""The file of the settings, in the folder where the service is started."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service listens, and where its dependencies are.

    Attributes:
        port: Its port of the loopback.
        workers: How many processes serve.
        database_url: SQLAlchemy's, with an asynchronous driver.
        prices_url: Of the price service.
        cache_url: Of Redis; empty for no cache.
        spans_folder: If set, each request is a log line and a span, and each worker leaves the
            IDs of its spans here when it ends.
    """

    port: int
    workers: int
    database_url: str
    prices_url: str
    cache_url: str = ""
    spans_folder: str = ""

    def to_json(self) -> str:
        """Return the settings as text."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls) -> Self:
        """Read the file in the current folder."""
        return cls(**json.loads(Path(FILE).read_text(encoding="utf-8")))

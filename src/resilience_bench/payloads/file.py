"""A file: 4 kB opened, read and closed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Final

from resilience_bench.scenarios.payload_definition import ServerAddress, payload

CONTENT: Final = bytes(range(256)) * 16


@payload(server="folder", returns=CONTENT)
def file(server: ServerAddress) -> Iterator[Callable[[], bytes]]:
    """Open a file, read its 4 kB from the page cache, and close it."""
    with tempfile.NamedTemporaryFile(dir=server.folder) as made:
        made.write(CONTENT)
        made.flush()
        path = made.name

        def read() -> bytes:
            with open(path, "rb") as opened:  # noqa: PTH123 - what callers do most
                return opened.read()

        yield read

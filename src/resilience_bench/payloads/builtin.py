"""The payloads of this package, in the order in which they are listed."""

from __future__ import annotations

from typing import Final

from resilience_bench.payloads import file, http, outage, postgres, redis, sqlite
from resilience_bench.scenarios.payload_definition import Payload

BUILTIN_PAYLOADS: Final[tuple[Payload, ...]] = tuple(
    value
    for module in (sqlite, file, redis, postgres, http, outage)
    for value in vars(module).values()
    if isinstance(value, Payload)
)

"""What circuit breakers, retries and metrics cost per call.

The names here are what a scenario file needs; importing them loads the standard library only.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilience_bench._model import Case
    from resilience_bench.scenarios.definition import (
        ANYTHING,
        EMPTY,
        FAILS,
        REJECTION,
        RESULT,
        RETURNS,
        Counted,
        Library,
        PayloadError,
        Probed,
        Unsupported,
        scenario,
    )
    from resilience_bench.scenarios.payload_definition import ServerAddress, payload

__version__ = "0.1.0"

__all__ = [
    "ANYTHING",
    "EMPTY",
    "FAILS",
    "REJECTION",
    "RESULT",
    "RETURNS",
    "Case",
    "Counted",
    "Library",
    "PayloadError",
    "Probed",
    "ServerAddress",
    "Unsupported",
    "payload",
    "scenario",
]


PAYLOADS_MODULE = "scenarios.payload_definition"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``--help`` needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    others = {"Case": "_model", "ServerAddress": PAYLOADS_MODULE, "payload": PAYLOADS_MODULE}
    module = others.get(name, "scenarios.definition")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)

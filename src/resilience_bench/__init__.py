"""What circuit breakers, retries and metrics cost per call.

The names here are what a scenario file needs; importing them loads the standard library only.
"""

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
    "Unsupported",
    "scenario",
]

"""A results file to change and to damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.files import results
from tests.files.results_factories import full_result


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Any]:
    """The JSON of a good results file."""
    results.write(full_result(), tmp_path / "good.json")
    document: dict[str, Any] = json.loads((tmp_path / "good.json").read_text())
    return document

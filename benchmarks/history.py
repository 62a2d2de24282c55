"""The scenarios as asv's classes, one a family: what `asv run` measures of a commit."""

from __future__ import annotations

from pathlib import Path

from resilience_bench.commits.asv_benchmarks import make_classes

globals().update(make_classes(Path(__file__).parent))

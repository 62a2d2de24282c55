"""All blocks of a result, in the order in which every format shows them."""

from __future__ import annotations

from collections.abc import Sequence

from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import Block, make_blocks
from resilience_bench.report.drift_rows import make_drift_blocks
from resilience_bench.report.load_rows import make_load_blocks
from resilience_bench.stats.drift import Drift


def make_sections(
    result: Result, measurements: Sequence[Measurement], drifts: Sequence[Drift], sort: str
) -> dict[str, list[Block]]:
    """Return the blocks without a load, those under load, and those of long runs, by heading.

    The first heading is empty. Rows are sorted by ``sort``, see `blocks.SORT_KEYS`.
    """
    sections = {
        "": make_blocks(result, measurements, sort),
        "under load": make_load_blocks(result, measurements, sort),
        "in long runs": make_drift_blocks(drifts),
    }
    return {heading: blocks for heading, blocks in sections.items() if blocks}

"""Write the dashboards of monitoring/, which are made with Grafana's own foundation SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click
from dashboard_history import make_history
from dashboard_performance import make_performance
from dashboard_resilience import make_resilience
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

FOLDER: Final = Path(__file__).resolve().parents[2] / "monitoring" / "dashboards"
DASHBOARDS: Final[Mapping[str, Callable[[], Dashboard]]] = {
    "resilience.json": make_resilience,
    "resilience-and-performance.json": make_performance,
    "benchmarks-over-time.json": make_history,
}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=FOLDER, help="Where to write.")
def main(output: Path) -> None:
    """Write the dashboards, a file each."""
    output.mkdir(parents=True, exist_ok=True)
    for name, make in DASHBOARDS.items():
        text = JSONEncoder(sort_keys=True, indent=1).encode(make().build())
        (output / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

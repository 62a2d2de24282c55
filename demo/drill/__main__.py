"""The command of `scripts/drill`."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from demo.drill.checks import find_defects, find_disturbances
from demo.drill.course import run_drill
from demo.drill.evidence import Evidence
from demo.drill.table import format_drill
from demo.errors import EXIT_CODE, DemoError, run_command
from demo.stage import Stage, StageOptions
from resilience_bench.environments.fingerprint import detect_environment, read_load_average
from resilience_bench.files.atomic import write_text

DISTURBED: Final = 3


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write the tables here, too.")
@click.option("--runs", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 200), default=30, show_default=True)
@click.option("--workers", type=click.IntRange(1, 8), default=3, show_default=True)
@click.option("--speed", type=click.FloatRange(1, 60), default=60, show_default=True)
@click.option("--rules", type=click.Path(path_type=Path), help="Default: monitoring.")
def main(  # noqa: PLR0913, PLR0917 - the options of a command
    output: Path | None, runs: int, rate: float, workers: int, speed: float, rules: Path | None
) -> None:
    """Kill Redis and freeze PostgreSQL under load, bring them back, and check what was seen of it.

    --speed divides all times of the rules in monitoring/. Exit code 1 says that something is wrong,
    2 that nothing could be started, 3 that the machine was too busy for a clear answer.
    """
    here = detect_environment()
    parts = [
        f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')}, {here.python}",
        f"{here.cpu_count} x {here.cpu_model}, {here.os}",
        f"load average before: {', '.join(f'{each:.2f}' for each in read_load_average())}",
        f"{rate:g} requests a second, {workers} workers; times of the rules divided by {speed:g}",
        "",
    ]
    defects, disturbances = 0, 0
    try:
        for run in range(1, runs + 1):
            evidence = drill(workers, rate, speed, rules)
            defects += len(find_defects(evidence))
            disturbances += len(find_disturbances(evidence))
            parts.append(f"run {run} of {runs}\n\n{format_drill(evidence)}")
            click.echo(parts[-1])
    except DemoError as error:
        click.echo(f"drill: {error}", err=True)
        sys.exit(EXIT_CODE)
    except KeyboardInterrupt:
        sys.exit(130)
    if output is not None:
        write_text("\n".join(parts), output)
    sys.exit(1 if defects else DISTURBED if disturbances else 0)


def drill(workers: int, rate: float, speed: float, rules: Path | None = None) -> Evidence:
    """Run one drill from start to end.

    Raises:
        DemoError: If something is not installed, or does not start.
    """
    with tempfile.TemporaryDirectory(prefix="resilience-bench-spans-") as spans:
        options = StageOptions(
            workers=workers,
            rules=rules or StageOptions().rules,
            speed=speed,
            spans_folder=spans,
            needs_all=True,
        )
        with Stage(options, _say) as stage:
            return asyncio.run(run_drill(stage, rate, Path(spans), _say))


def _say(text: str) -> None:
    click.echo(f"drill: {text}", err=True)


if __name__ == "__main__":
    run_command(main, "drill")

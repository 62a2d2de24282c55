"""The command that has asv measure commits."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from resilience_bench.cli import options
from resilience_bench.cli.fleet_jobs import open_fleet
from resilience_bench.cli.options import FILE
from resilience_bench.commits.git_log import Revision, list_commits, select_with_project
from resilience_bench.commits.measure import PROFILE_VARIABLE
from resilience_bench.environments.fingerprint import detect_environment
from resilience_bench.environments.git import run_git
from resilience_bench.fleet.choice import FleetChoice
from resilience_bench.fleet.run import make_block
from resilience_bench.measure.launcher import Launcher
from resilience_bench.measure.selection import select
from resilience_bench.measure.session import PROFILES

if TYPE_CHECKING:
    from resilience_bench.commits.asv_run import Project
    from resilience_bench.commits.backfill import CommitOutcome, ResultsTree

SelectDue = Callable[[str], list[Revision]]
"""Returns the commits that lack results of a machine."""


@click.command()
@click.argument("commits", metavar="[RANGE]", required=False)
@click.option(
    "--profile",
    type=click.Choice(["quick", "standard", "thorough"]),
    default="quick",
    help="How much to measure of each commit.",
)
@click.option("--most", type=click.IntRange(min=1), help="Measure at most this many commits.")
@click.option(
    "--config",
    "conf_file",
    type=FILE,
    default=Path("asv.conf.json"),
    help="The configuration of asv.",
)
@options.add_fleet_options
@click.pass_obj
def history(  # noqa: PLR0913 - one argument an option
    launcher: Launcher,
    /,
    *,
    commits: str | None,
    profile: str,
    most: int | None,
    conf_file: Path,
    fleet: FleetChoice | None,
) -> int:
    """Have asv measure what commits lack, the newest first.

    RANGE is what 'git rev-list' takes, e.g. 'HEAD~3..HEAD'; by default all commits up to HEAD that
    contain the project which asv builds. What was measured on this machine is not measured again,
    so an interrupted command goes on where it stopped.
    """
    # Without the extra, '--help' works too.
    from resilience_bench.commits import asv_run, backfill  # noqa: PLC0415

    project = asv_run.read_project(conf_file)
    repo = Path(project.repo)
    found = list_commits(repo, commits)
    if commits is None and project.subdir:
        found = select_with_project(repo, project.subdir, found)

    def select_due(machine: str) -> list[Revision]:
        tree = backfill.ResultsTree(project.results, machine)
        due = backfill.find_due(tree, found)
        click.echo(f"{machine}: {_describe_commits(tree, found, due)}")
        return due[:most]

    try:
        if fleet:
            _measure_on_fleet(fleet, launcher, project, select_due, profile)
        else:
            _measure_here(project, select_due, profile)
    except KeyboardInterrupt:
        click.echo("interrupted; type the command again: it goes on where it stopped", err=True)
        raise click.Abort from None
    folder = os.path.relpath(project.results)
    click.echo(f"results: {folder}; keep them with 'git add {folder}'")
    return 0


def _measure_here(project: Project, select_due: SelectDue, profile: str) -> None:
    from resilience_bench.commits import asv_run, backfill  # noqa: PLC0415 - see above

    machine = asv_run.register_machine(detect_environment())
    due = select_due(machine)
    if not due:
        return
    tree = backfill.ResultsTree(project.results, machine)
    tool = asv_run.Asv(project, machine, _print_progress_line, {PROFILE_VARIABLE: profile})
    numbers = itertools.count(1)

    def announce(revision: Revision) -> None:
        head = f"[{next(numbers)}/{len(due)}] {revision.revision[:8]} {revision.subject}"
        click.secho(head, bold=True)

    outcomes = backfill.measure_missing(tree, tool, due, announce)
    _show_outcomes(outcomes, len(due))


def _measure_on_fleet(
    choice: FleetChoice,
    launcher: Launcher,
    project: Project,
    select_due: SelectDue,
    profile: str,
) -> None:
    from resilience_bench.commits import fleet as fleets  # noqa: PLC0415 - few want it

    top = Path(run_git(project.conf_file.parent, "rev-parse", "--show-toplevel").strip())
    head = run_git(top, "rev-parse", "HEAD").strip()
    place = fleets.Place(str(project.conf_file.resolve().relative_to(top)), head, profile)
    # The first case shows how a host does.
    probed = select(launcher, []).cases[:1]
    probe = make_block(probed, PROFILES["quick"], ["latency"]).content
    journal = project.results / fleets.JOURNAL
    with open_fleet(choice, probed, ["latency"], journal) as (job, show):
        due = select_due(job.ask(fleets.name_machine))
        if due:
            work = fleets.CommitWork(place, due, probe, project.results)
            _show_outcomes(fleets.measure_commits(job, work, show), len(due))
    journal.unlink(missing_ok=True)


def _describe_commits(tree: ResultsTree, found: Sequence[Revision], due: Sequence[Revision]) -> str:
    commits = f"{len(found)} commit{'s' * (len(found) != 1)}"
    description = f"{commits}, {len(found) - len(due)} of them measured before"
    in_part = sum(tree.has_some(commit.revision) for commit in due)
    return f"{description}, {in_part} in part" if in_part else description


def _print_progress_line(line: str) -> None:
    # Each step shows its figures; here only the progress matters.
    if "·" in line and "===" not in line:
        click.echo(line)


def _show_outcomes(outcomes: Iterable[CommitOutcome], count: int) -> None:
    states: Counter[str] = Counter()
    seconds = 0.0
    for outcome in outcomes:
        states[outcome.state] += 1
        seconds += outcome.seconds
        reason = f": {outcome.reason}" if outcome.reason else ""
        left = (count - states.total()) * seconds / states.total() / 60
        name = outcome.revision.revision[:8]
        rest = f"; about {left:.0f} min left" if states.total() < count else ""
        click.secho(f"{name}: {outcome.state}{reason}, {outcome.seconds:.0f} s{rest}", bold=True)
    click.echo(", ".join(f"{number} {state}" for state, number in states.items()))

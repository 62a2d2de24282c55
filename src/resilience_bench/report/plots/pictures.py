"""Which pictures a result makes, and the names of their files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from matplotlib.figure import Figure

from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import format_label, format_title, group_comparable, is_loaded
from resilience_bench.report.load_rows import find_load, group_by_load, make_load_sort_key
from resilience_bench.report.outage_rows import format_share
from resilience_bench.report.plots import heat, layers, lines, outage, overheads
from resilience_bench.report.plots.style import Look, assign_looks, format_foot
from resilience_bench.report.real_calls import TITLES, collect_real_calls
from resilience_bench.report.text import clean_text
from resilience_bench.scenarios.loads import PROCESSES, SINGLE, TASKS, THREADS
from resilience_bench.stats.load import estimate_controls
from resilience_bench.stats.outage import estimate_outages

DrawFunction = Callable[[], Figure]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be drawn: the name of its file without the ending."""

    name: str
    draw: DrawFunction


@dataclass(frozen=True, slots=True)
class _ScenarioData:
    """What the pictures of one scenario around one payload are drawn from, load by load."""

    foot: str
    look: Mapping[str, Look]
    title: str
    name: str
    loads: Mapping[str, Mapping[str, Measurement]]
    bare: Mapping[str, Measurement]


def plan_pictures(result: Result, measurements: Sequence[Measurement]) -> list[Picture]:
    """Return the pictures of a result, in the order of the file; none if there is nothing to draw.

    Their names are safe as names of files, and differ also where case does not matter.
    """
    pictures: list[Picture] = []
    taken: set[str] = set()
    for wanted, draw in _plan_all(result, measurements):
        name = stem = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip(".-") or "picture"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        pictures.append(Picture(name, draw))
    return pictures


def _plan_all(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, DrawFunction]]:
    foot = format_foot(result)
    labels: dict[str, set[str]] = defaultdict(set)
    for measured in measurements:
        labels[measured.case.family].add(format_label(measured.case))
    yield from _plan_layers(result, measurements, foot)
    yield from _plan_outages(result, foot)
    # A library looks the same in all pictures of its family.
    looks = {family: assign_looks(members) for family, members in labels.items()}
    yield from _plan_overheads(foot, looks, measurements)
    for scene in _collect_scenarios(result, measurements, foot, looks):
        yield from _plan_rates(scene)
        yield from _plan_latencies(scene)
        yield from _plan_scaling(scene)


def _plan_layers(
    result: Result, measurements: Sequence[Measurement], foot: str
) -> Iterator[tuple[str, DrawFunction]]:
    calls = collect_real_calls(result, measurements)
    for load, title in TITLES.items():
        if found := [call for call in calls if call.load == load]:
            name = "real-calls" if load == SINGLE else f"real-calls-{load}"
            yield name, partial(layers.draw, title.capitalize(), foot, found)


def _plan_overheads(
    foot: str, looks: Mapping[str, Mapping[str, Look]], measurements: Sequence[Measurement]
) -> Iterator[tuple[str, DrawFunction]]:
    families: dict[str, list[overheads.Panel]] = defaultdict(list)
    for members in group_comparable(
        measured for measured in measurements if not is_loaded(measured)
    ):
        case = members[0].case
        found = {
            format_label(measured.case): measured
            for measured in members
            if "overhead_ns" in measured.quantities
        }
        if found:
            title = format_title(case).removeprefix(f"{clean_text(case.family)}.")
            families[case.family].append((title, found))
    for family, panels in families.items():
        title = f"{clean_text(family)}: overhead per call"
        yield f"overhead-{family}", partial(overheads.draw, title, foot, panels, looks[family])


def _collect_scenarios(
    result: Result,
    measurements: Sequence[Measurement],
    foot: str,
    looks: Mapping[str, Mapping[str, Look]],
) -> Iterator[_ScenarioData]:
    controls = estimate_controls(result)
    keys = {record.case.name: record.control for record in result.cases}
    for (group, payload), groups in groupby(
        group_by_load(measurements),
        key=lambda members: (members[0].case.group, members[0].case.payload),
    ):
        loads, bare = {}, {}
        for members in groups:
            case = members[0].case
            loads[case.load] = {
                format_label(measured.case): measured for measured in members if is_loaded(measured)
            }
            found = [controls.get(keys[measured.case.name]) for measured in members]
            if control := next(filter(None, found), None):
                bare[case.load] = control
        title = format_title(case.with_load(SINGLE, payload))
        yield _ScenarioData(foot, looks[case.family], title, f"{group}-{payload}", loads, bare)


def _plan_outages(result: Result, foot: str) -> Iterator[tuple[str, DrawFunction]]:
    cases = {record.case.name: record.case for record in result.cases}
    groups: dict[str, list[outage.Panel]] = defaultdict(list)
    for record, figures in zip(result.outages, estimate_outages(result), strict=True):
        case = cases[record.case]
        answered = format_share(figures.phases[-1])
        panel = outage.Panel(format_label(case), answered, record.outage)
        groups[clean_text(case.group)].append(panel)
    for group, panels in groups.items():
        yield f"outage-{group}", partial(outage.draw, f"{group} in an outage", foot, panels)


def _plan_rates(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    for kind in (THREADS, TASKS, PROCESSES):
        found = {name: find_load(name) for name in scene.loads}
        loads = {name: load.callers for name, load in found.items() if load and load.kind == kind}
        libraries: dict[str, dict[int, Measurement]] = defaultdict(dict)
        for name, callers in loads.items():
            for label, measured in scene.loads[name].items():
                if _has_rate(measured):
                    libraries[label][callers] = measured
        bare = {
            callers: scene.bare[name]
            for name, callers in loads.items()
            if name in scene.bare and _has_rate(scene.bare[name])
        }
        if len(loads) > 1 and libraries:
            title = f"{scene.title} under {kind}"
            shown = (title, scene.foot, kind, bare, dict(libraries))
            yield f"{kind}-{scene.name}", partial(lines.draw_rates, *shown, look=scene.look)


def _has_rate(measured: Measurement) -> bool:
    return measured.quantities["calls_per_s"].value > 0


def _plan_latencies(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    """Plan a picture for the largest load of each kind."""
    kinds = {name.partition("-")[0]: name for name in sorted(scene.loads, key=make_load_sort_key)}
    for name in kinds.values():
        found = {
            label: measured
            for label, measured in scene.loads[name].items()
            if lines.select_percentiles(measured)
        }
        if found:
            title = f"{scene.title} under {name}" if name != SINGLE else scene.title
            shown = (title, scene.foot, scene.bare.get(name), found, scene.look)
            yield f"latency-{scene.name}-{name}", partial(lines.draw_latencies, *shown)


def _plan_scaling(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    table: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for name, members in scene.loads.items():
        for label, measured in members.items():
            if "scaling" in measured.quantities:
                table[label][name] = measured
    loads = [name for name in scene.loads if any(name in members for members in table.values())]
    if loads:
        shown = (f"{scene.title}: scaling", scene.foot, dict(table), loads)
        yield f"scaling-{scene.name}", partial(heat.draw, *shown)

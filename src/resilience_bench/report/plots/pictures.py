"""Which pictures a result makes, and the names of their files."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.figure import Figure

from resilience_bench._model import Measurement, Result
from resilience_bench.report.blocks import format_label, format_title, group_comparable, is_loaded
from resilience_bench.report.load_rows import find_load, group_by_load, make_load_sort_key
from resilience_bench.report.plots import heat, latencies, overheads, rates
from resilience_bench.report.plots.style import Look, assign_looks, format_foot
from resilience_bench.report.text import clean_text
from resilience_bench.scenarios.loads import PROCESSES, TASKS, THREADS
from resilience_bench.stats.load import estimate_controls

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

    def select_loads(self, kind: str) -> dict[str, int]:
        """The loads of a kind, and their numbers of callers."""
        found = {name: find_load(name) for name in self.loads}
        return {name: each.callers for name, each in found.items() if each and each.kind == kind}


def plan_pictures(result: Result, measurements: Sequence[Measurement]) -> list[Picture]:
    """The pictures that a result makes, in the order of the file; none if nothing can be drawn."""
    made: list[Picture] = []
    taken: set[str] = set()
    for wanted, draw in _plan_all(result, measurements):
        name = stem = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip(".-") or "picture"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        made.append(Picture(name, draw))
    return made


def _plan_all(
    result: Result, measurements: Sequence[Measurement]
) -> Iterator[tuple[str, DrawFunction]]:
    foot = format_foot(result)
    labels: dict[str, set[str]] = defaultdict(set)
    for each in measurements:
        labels[each.case.family].add(format_label(each.case))
    # A library looks the same in all pictures of its family.
    look = {family: assign_looks(members) for family, members in labels.items()}
    alone = [each for each in measurements if not is_loaded(each)]
    yield from _plan_overheads(foot, look, alone)
    for scene in _collect_scenarios(result, measurements, foot, look):
        yield from _plan_rates(scene)
        yield from _plan_latencies(scene)
        yield from _plan_scaling(scene)


def _plan_overheads(
    foot: str, look: Mapping[str, Mapping[str, Look]], alone: Sequence[Measurement]
) -> Iterator[tuple[str, DrawFunction]]:
    families: dict[str, list[overheads.Panel]] = {}
    for members in group_comparable(alone):
        told = {
            format_label(each.case): each for each in members if "overhead_ns" in each.quantities
        }
        case = members[0].case
        if told:
            title = format_title(case).removeprefix(f"{clean_text(case.family)}.")
            families.setdefault(case.family, []).append((title, told))
    for family, panels in families.items():
        title = f"{clean_text(family)}: overhead per call"
        draw = functools.partial(overheads.draw, title, foot, panels, look[family])
        yield f"overhead-{family}", draw


def _collect_scenarios(
    result: Result,
    measurements: Sequence[Measurement],
    foot: str,
    look: Mapping[str, Mapping[str, Look]],
) -> Iterator[_ScenarioData]:
    controls = estimate_controls(result)
    keys = {record.case.name: record.control for record in result.cases}
    for (group, payload), groups in groupby(
        group_by_load(measurements), key=lambda each: (each[0].case.group, each[0].case.payload)
    ):
        loads, bare = {}, {}
        for members in groups:
            case = members[0].case
            loads[case.load] = {
                format_label(each.case): each for each in members if is_loaded(each)
            }
            told = [controls[key] for each in members if (key := keys[each.case.name]) in controls]
            if told:
                bare[case.load] = told[0]
        title = format_title(case.with_load("single", payload))
        yield _ScenarioData(foot, look[case.family], title, f"{group}-{payload}", loads, bare)


def _plan_rates(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    for kind in (THREADS, TASKS, PROCESSES):
        loads = scene.select_loads(kind)
        libraries: dict[str, dict[int, Measurement]] = defaultdict(dict)
        for name, callers in loads.items():
            for label, each in scene.loads[name].items():
                if each.quantities["calls_per_s"].value > 0:
                    libraries[label][callers] = each
        bare = {
            callers: scene.bare[name].quantities["calls_per_s"]
            for name, callers in loads.items()
            if name in scene.bare and scene.bare[name].quantities["calls_per_s"].value > 0
        }
        if len(loads) > 1 and libraries:
            title = f"{scene.title} under {kind}"
            yield (
                f"{kind}-{scene.name}",
                functools.partial(
                    rates.draw,
                    title,
                    kind,
                    scene.foot,
                    bare=bare,
                    libraries=dict(libraries),
                    look=scene.look,
                ),
            )


def _plan_latencies(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    """One picture for the largest load of each kind."""
    kinds: dict[str, str] = {}
    for name in sorted(scene.loads, key=make_load_sort_key):
        kinds[name.partition("-")[0]] = name
    for name in kinds.values():
        told = {
            label: each
            for label, each in scene.loads[name].items()
            if latencies.select_percentiles(each)
        }
        if told:
            title = f"{scene.title} under {name}" if name != "single" else scene.title
            yield (
                f"latency-{scene.name}-{name}",
                functools.partial(
                    latencies.draw, title, scene.foot, scene.bare.get(name), told, scene.look
                ),
            )


def _plan_scaling(scene: _ScenarioData) -> Iterator[tuple[str, DrawFunction]]:
    table: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for name, members in scene.loads.items():
        for label, each in members.items():
            if "scaling" in each.quantities:
                table[label][name] = each
    loads = [name for name in scene.loads if any(name in members for members in table.values())]
    if loads:
        title = f"{scene.title}: scaling"
        yield (
            f"scaling-{scene.name}",
            functools.partial(heat.draw, title, scene.foot, dict(table), loads),
        )

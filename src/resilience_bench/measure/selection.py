"""Selects cases: paths say where to look, patterns say which to take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resilience_bench._cases import CHAOS
from resilience_bench._model import CaseInfo, CaseRecord, Samples, WorkerRecord
from resilience_bench.environments.fingerprint import now
from resilience_bench.errors import (
    NoScenariosError,
    UnknownLoadError,
    UnknownSelectorError,
    format_names,
)
from resilience_bench.measure.case_servers import CaseServers
from resilience_bench.measure.launcher import Launcher, WorkerFailedError
from resilience_bench.measure.session import Profile, Session, list_loaded_cases, start_plan
from resilience_bench.project import find_suite_folder
from resilience_bench.scenarios import load_patterns
from resilience_bench.scenarios.discovery import find_scenario_files
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.scenarios.patterns import drop_spaces, find_close_names, matches
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.protocol import DeclarationMessage, Message, Plan, ProblemMessage

IMPORT_LIMIT_S: Final = 30.0
"""The time limit for importing the scenario files, or building the cases."""
EXAMPLE_HINT: Final = "type 'resilience-bench init' to get an example of one"


ChooseCases = Callable[[Sequence[CaseInfo]], list[CaseInfo]]
"""Puts cases under the loads of a profile."""
PROFILE_LOADS: Final[Mapping[str, ChooseCases]] = {
    "concurrency": load_patterns.select_profile_cases,
    "real": load_patterns.select_real_cases,
    CHAOS: load_patterns.select_outage_cases,
}
"""The profiles that have loads or payloads of their own."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Cases that scenario files declare, and the files that could not be used."""

    cases: tuple[CaseInfo, ...]
    problems: tuple[str, ...]


def discover(launcher: Launcher, paths: Sequence[Path], time_limit_s: float) -> Selection:
    """List the cases below paths; a file that ends its worker is a problem of itself alone."""
    plan = Plan("discover", tuple(map(str, paths)), time_limit_s=time_limit_s)
    try:
        messages = launcher.run(plan, hash_seed=0)
    except WorkerFailedError as error:
        if len(paths) == 1:
            return Selection((), (f"{paths[0]}:1: importing it {error}",))
        listings = [discover(launcher, [path], time_limit_s) for path in paths]
        return Selection(
            tuple(info for listing in listings for info in listing.cases),
            tuple(problem for listing in listings for problem in listing.problems),
        )
    return Selection(
        tuple(message.info for message in messages if isinstance(message, DeclarationMessage)),
        tuple(message.text for message in messages if isinstance(message, ProblemMessage)),
    )


def inspect(launcher: Launcher, cases: Sequence[CaseInfo], time_limit_s: float) -> list[CaseRecord]:
    """Build every case, without timing it, to find out which are available and why not."""
    profile = Profile("inspect", workers=1, samples=1, block_cases=1000, time_limit_s=time_limit_s)
    servers = CaseServers(Servers(), only_looks=True)
    session = _Inspection(launcher, cases, profile, servers=servers)
    for _ in session.run():
        pass
    return list(session.records.values())


class _Inspection(Session):
    def _make_plan(self, index: int, block: Sequence[CaseInfo], profile: Profile) -> Plan:
        del index
        plan = start_plan("inspect", block)
        return replace(plan, time_limit_s=profile.time_limit_s, under=list_loaded_cases(block))

    def _build_record(
        self, messages: Sequence[Message], index: int, number: int, started: str
    ) -> WorkerRecord:
        del messages
        return WorkerRecord(index, number, index, started, now(), 0.0, Samples(1, ()))


def select(
    launcher: Launcher,
    selectors: Sequence[str],
    *,
    profile: str = "",
    gated: bool = False,
    complete: bool = False,
) -> Selection:
    """Find the cases that patterns over their names mean, in paths of scenario files or folders.

    ``profile`` puts all cases under its loads if it is one of `PROFILE_LOADS`, not only where a
    pattern names a load or a payload; ``gated`` adds the cases under load that gates judge, if
    there is no pattern; with ``complete`` no selector means all cases, also those that must be
    asked for, and with both the cases of the profile of real calls, too.
    UnknownLoadError if a pattern names a load that does not exist; UnknownSelectorError if a
    pattern matches nothing, or a path does not exist; NoScenariosError if nothing is left.
    """
    paths = [Path(selector) for selector in selectors if _is_path(selector)]
    patterns = [selector for selector in selectors if not _is_path(selector)]
    files = [file for path in paths or [find_suite_folder()] for file in find_scenario_files(path)]
    if not files:
        where = ", ".join(map(str, paths))
        raise NoScenariosError(f"no file below {where} uses @scenario; {EXAMPLE_HINT}")
    listing = discover(launcher, files, IMPORT_LIMIT_S)
    choose = PROFILE_LOADS.get(profile)
    chosen = tuple(_choose_cases(patterns, listing, choose))
    if not (selectors or complete or choose):
        everywhere = load_patterns.select_real_cases(listing.cases, load_patterns.EVERYWHERE)
        chosen = tuple(info for info in chosen if info.by_default) or chosen
        chosen += tuple(everywhere)
    if choose and listing.cases and not chosen:
        raise UnknownLoadError(load_patterns.suggest_loads("*", listing.cases))
    if gated and not patterns:
        chosen += tuple(load_patterns.select_gated_cases(listing.cases))
        chosen += tuple(load_patterns.select_real_cases(listing.cases)) if complete else ()
    if not (complete or profile == CHAOS):
        _refuse_outages_alone(patterns, chosen)
        chosen = tuple(info for info in chosen if info.is_in_outage or not info.is_for_outages)
    _refuse_mixture(chosen, profile)
    if not chosen:
        raise NoScenariosError(_explain_empty_selection(files, listing.problems))
    return Selection(chosen, listing.problems)


def _refuse_outages_alone(patterns: Sequence[str], cases: Sequence[CaseInfo]) -> None:
    """Refuse cases that are for outages alone, unless a pattern or a path has others too."""
    for pattern in patterns or ["*"]:
        found = [info for info in cases if matches(pattern, info.case)]
        if found and all(info.is_for_outages and not info.is_in_outage for info in found):
            raise UnknownLoadError(
                f"{_list_names(found)}: expected cases of this profile, found cases of outages; "
                "type 'resilience-bench run --profile chaos' for those, and name no others"
            )


def _refuse_mixture(cases: Sequence[CaseInfo], profile: str) -> None:
    """Refuse cases in an outage beside others, and without their profile."""
    outages = [info for info in cases if info.is_in_outage]
    if outages and profile != CHAOS:
        raise UnknownLoadError(
            f"expected cases that no outage befalls, found {_list_names(outages)}; type "
            "'resilience-bench run --profile chaos' for those, and name no others"
        )
    asked = [info for info in outages if CHAOS in info.in_profile] or outages
    others = [info for info in cases if info not in asked]
    if others and profile == CHAOS:
        raise UnknownLoadError(
            f"--profile chaos measures {_list_names(asked) or 'cases in an outage'} apart from "
            f"other cases, found {_list_names(others)}; measure those in a run of their own"
        )


def _list_names(infos: Sequence[CaseInfo]) -> str:
    return format_names([info.case.name for info in infos])


def _choose_cases(
    patterns: Sequence[str], listing: Selection, choose: ChooseCases | None
) -> list[CaseInfo]:
    infos = listing.cases
    if not patterns:
        return choose(infos) if choose else list(infos)
    found: dict[str, CaseInfo] = {}
    for pattern in map(drop_spaces, patterns):
        some = _match_cases(pattern, infos, choose)
        if not some:
            if choose is load_patterns.select_outage_cases and (
                plain := [info for info in infos if matches(pattern, info.case)]
            ):
                raise UnknownLoadError(
                    f"{_list_names(plain)}: expected plain functions that call their payload, and "
                    "return its value, for --profile chaos; found other promises in @scenario"
                )
            if (choose or load_patterns.looks_loaded(pattern, infos)) and (
                hint := load_patterns.suggest_loads(pattern, infos)
            ):
                raise UnknownLoadError(f"no case matches {pattern!r}; {hint}")
            close = find_close_names(pattern, [info.case for info in infos])
            raise UnknownSelectorError(pattern, close, listing.problems)
        found.update((info.case.name, info) for info in some)
    # In the order of their definition, whatever the order of the patterns.
    order = {info.case.with_load(SINGLE, NOOP).name: number for number, info in enumerate(infos)}
    return sorted(found.values(), key=lambda info: order[info.case.with_load(SINGLE, NOOP).name])


def _match_cases(
    pattern: str, infos: Sequence[CaseInfo], choose: ChooseCases | None
) -> list[CaseInfo]:
    plain = [info for info in infos if matches(pattern, info.case)]
    # Without the name of a load, a pattern means loads only if it matches no plain case.
    if load_patterns.mentions_load(pattern, infos) or not plain:
        return [*plain, *load_patterns.expand_load_pattern(pattern, infos)]
    return choose(plain) if choose else plain


def _is_path(selector: str) -> bool:
    if not selector.strip():  # of a shell's variable that is not set; '' would be this folder
        raise NoScenariosError(
            f"{selector!r} is empty; expected a case name, a pattern such as 'breaker.*', or the "
            "path of a scenario file; type 'resilience-bench list' to see every case"
        )
    looks_like_one = selector.endswith(".py") or os.sep in selector
    try:
        exists = Path(selector).exists() if "\0" not in selector else False
    except OSError:  # longer than a file's name may be
        exists = False
    if looks_like_one and not exists:
        raise NoScenariosError(
            f"no such file or folder: {selector}; expected a scenario file, a folder of them, or "
            "a pattern such as 'breaker.*'; type 'resilience-bench list' to see every case"
        )
    return exists


def _explain_empty_selection(files: Sequence[Path], problems: Sequence[str]) -> str:
    if problems:
        return f"nothing to measure: {'; '.join(problems)}"
    where = ", ".join(map(str, files))
    return f"no @scenario in {where}; {EXAMPLE_HINT}"

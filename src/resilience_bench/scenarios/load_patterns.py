"""Patterns with loads, such as ``breaker.closed_success[*,threads-*,io]``."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from resilience_bench._cases import CHAOS, FLAKY
from resilience_bench._model import Case, CaseInfo
from resilience_bench.errors import UnknownLoadError
from resilience_bench.scenarios import loads
from resilience_bench.scenarios.patterns import matches, matches_text

KINDS: Final = (loads.THREADS, loads.TASKS, loads.PROCESSES, loads.MIXED)
PROFILE_LOADS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    loads.THREADS: (
        *((load, loads.IO) for load in loads.STANDARD_LOADS[loads.THREADS]),
        ("threads-4", loads.CPU),
        ("threads-4", loads.NOOP),
        ("threads-16", loads.NOOP),
    ),
    loads.TASKS: (
        *((load, loads.IO) for load in loads.STANDARD_LOADS[loads.TASKS]),
        ("tasks-100", loads.NOOP),
    ),
    loads.PROCESSES: tuple((load, loads.NOOP) for load in loads.STANDARD_LOADS[loads.PROCESSES]),
    loads.MIXED: tuple((load, loads.NOOP) for load in loads.STANDARD_LOADS[loads.MIXED]),
}
"""The loads and payloads of the concurrency profile."""
REAL: Final = "real"
"""The profile of real calls, in ``in_profile``."""
REAL_LOADS: Final = {
    False: (loads.SINGLE, "threads-8", "threads-32"),
    True: ("tasks-1", "tasks-100"),
}
"""Its loads, by whether the operation is a coroutine function."""
VARIANTS: Final = frozenset(
    {"sqlite", "sqlite-insert", "redis-set", "redis-pipeline", "postgres-tcp", "postgres-insert"}
)
"""Payloads that the profile measures with one caller: many wait for the same as in the others."""
EVERYWHERE: Final = ("sqlite-file",)
"""Real payloads that are measured by default: they need nothing but Python, and do what an
application does. A query in memory takes a microsecond, of which any layer is a multiple."""
LIMIT_FILES: Final = ("/sys/fs/cgroup/pids.max", "/proc/sys/kernel/threads-max")
GATE_LOAD: Final = ("threads-16", loads.IO)
MOST_TASKS: Final = 1_000_000
"""More tasks do not fit into memory."""
EXAMPLE: Final = "e.g. 'breaker.closed_success[*,threads-8,io]'"
_CALLERS: Final = re.compile(r"([a-z]+)-([0-9*?]+(?:-[0-9*?]+)?)")
_LOAD_PART: Final = re.compile(rf"({'|'.join(KINDS)})-")
_LOAD: Final = re.compile(r"mixed-[0-9]+-[0-9]+|(?:threads|tasks|processes)-[0-9]+")


def find_payloads(pattern: str, infos: Sequence[CaseInfo]) -> list[str]:
    """Return the payloads that a pattern names; a wildcard alone names none.

    ``redis*`` behind the library names all payloads that begin so.
    """
    known = dict.fromkeys([*loads.PAYLOADS, *(name for info in infos for name in info.payloads)])
    words = _split_words(pattern)
    return [
        name
        for name in known
        if any(_names_payload(word, [name], is_first=not place) for place, word in enumerate(words))
        or re.search(rf",{re.escape(name)}(?![\w-])", pattern)
    ]


def mentions_load(pattern: str, infos: Sequence[CaseInfo]) -> bool:
    """Return whether a pattern names a load or payload; UnknownLoadError if it is impossible."""
    # A list, so that an impossible load is refused wherever it is.
    named = [_is_load(word) for word in _split_words(pattern)]
    return (
        any(named) or bool(find_payloads(pattern, infos)) or _LOAD_PART.search(pattern) is not None
    )


def looks_loaded(pattern: str, infos: Sequence[CaseInfo]) -> bool:
    """Return whether a pattern names a load or payload, or something written like a load."""
    words = _split_words(pattern)
    # The words after the library are parameters, which have values, or loads and payloads.
    others = [word for word in words[1:] if "=" not in word]
    return mentions_load(pattern, infos) or bool(others) or any(map(_CALLERS.fullmatch, words))


def _split_words(pattern: str) -> list[str]:
    return [word.strip() for word in pattern.partition("[")[2].removesuffix("]").split(",")]


def _is_load(word: str) -> bool:
    if word == loads.SINGLE:
        return True
    # A library may be called lib-2: a word of another kind is no impossible load.
    if word.partition("-")[0] not in KINDS or "-" not in word:
        return False
    if not {"*", "?"} & set(word) and (problem := _find_problem(word)):
        raise UnknownLoadError(problem)
    return True


def _find_problem(word: str) -> str:
    try:
        load = loads.parse_load(word)
    except ValueError as error:
        return f"{error}; {EXAMPLE}"
    most = MOST_TASKS if load.kind == loads.TASKS else compute_thread_limit()
    too_many = load.callers + load.readers > most
    return f"{word}: this machine can start at most {most:,}; ask for fewer" if too_many else ""


def compute_thread_limit() -> int:
    """Return how many threads or processes can be started, with a reserve for running ones."""
    most = [MOST_TASKS]
    for path in map(Path, LIMIT_FILES):
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            most.append(int(path.read_text(encoding="ascii")))
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - there is none on Windows

        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        most += [soft] if soft != resource.RLIM_INFINITY else []
    return max(min(most) - (os.cpu_count() or 1) - 16, 1)


def expand_load_pattern(pattern: str, infos: Sequence[CaseInfo]) -> list[CaseInfo]:
    """Find the cases under load that a pattern selects, by their whole names or word by word.

    Words may come in any order, without a library, ``single`` or ``noop``; a last ``*`` after a
    load is every payload that needs nothing: one that does real work has to be named.
    """
    payloads = find_payloads(pattern, infos)
    fits_words = _compile_words(pattern, payloads)
    named = [load for load in _LOAD.findall(pattern) if not _find_problem(load)]
    return [
        loaded
        for info in infos
        for loaded in _list_loaded(info, named, {*loads.PAYLOADS, *payloads})
        if matches_text(pattern, loaded.case.name) or fits_words(loaded.case)
    ]


def _list_loaded(
    info: CaseInfo, named: Sequence[str], wanted: Collection[str]
) -> Iterator[CaseInfo]:
    # One caller around no work is the plain case, which every scenario has.
    payloads = [name for name in info.payloads if name in wanted] if info.loads else [loads.NOOP]
    real = {payload.name for payload in info.real_payloads}
    flaky = {payload.name for payload in info.real_payloads if payload.server == FLAKY}
    for kind in (loads.SINGLE, *info.loads):
        others = [load for load in named if load.partition("-")[0] == kind]
        for load in dict.fromkeys([*loads.STANDARD_LOADS[kind], *others]):
            for payload in payloads:
                # An outage has callers of its own, and a forked process must not use the
                # connections of its parent.
                if kind == loads.SINGLE or (
                    payload not in flaky and (kind != loads.PROCESSES or payload not in real)
                ):
                    yield replace(info, case=info.case.with_load(load, payload))


def _compile_words(pattern: str, payloads: Sequence[str]) -> Callable[[Case], bool]:
    """Make a test of whether a case fits the words between the brackets."""
    words = _split_words(pattern)
    callers = [word for word in words if _is_load(word)]
    if not callers and not payloads:
        return lambda _case: False
    rest = [
        word
        for place, word in enumerate(words)
        if word not in callers and not _names_payload(word, payloads, is_first=place == 0)
    ]
    if callers and words[-2:] == [callers[-1], "*"]:
        rest, payloads = rest[:-1], loads.PAYLOADS
    group = pattern.partition("[")[0]
    if not {".", "*", "?"} & set(group):
        group = f"{group}.*"  # a family
    plain = group if set(rest) <= {"*"} else f"{group}[{','.join(rest)}]"
    return lambda case: (
        case.payload in (payloads or [loads.NOOP])
        and any(matches_text(load, case.load) for load in callers or [loads.SINGLE])
        and matches(plain, case.with_load(loads.SINGLE, loads.NOOP))
    )


def _names_payload(word: str, payloads: Sequence[str], *, is_first: bool) -> bool:
    """Return whether a word is a payload, or a wildcard for some; a first one is a library's."""
    if word in payloads or is_first or not word.strip("*?"):
        return word in payloads
    return any(matches_text(word, name) for name in payloads)


def suggest_loads(pattern: str, infos: Sequence[CaseInfo]) -> str:
    """Describe the loads and payloads of what a pattern selects without its brackets, if any."""
    group = pattern.partition("[")[0]
    near = [info for info in infos if matches(group, info.case)]
    kinds = dict.fromkeys(kind for info in near for kind in info.loads)
    payloads = dict.fromkeys(name for info in near if info.loads for name in info.payloads)
    if not near:
        return ""
    if not kinds:
        return f"{group} is measured alone only: several callers would mix up its outcomes"
    spelled = ", ".join([loads.SINGLE, *(loads.LOAD_FORMS[kind] for kind in kinds)])
    load = loads.STANDARD_LOADS[next(iter(kinds))][-1]
    payload = loads.IO if loads.IO in payloads else next(iter(payloads))
    example = f"{group}[*,{load}{f',{payload}' if payload != loads.NOOP else ''}]"
    return (
        f"{group} has the loads {spelled} and the payloads {', '.join(payloads)}; "
        f"type e.g. '{example}', or 'resilience-bench list' to see every case"
    )


def select_profile_cases(infos: Sequence[CaseInfo]) -> list[CaseInfo]:
    """Return the cases of the concurrency profile: those that ask to be in it, or else all."""
    # Not mixed by default: readers need something to read.
    candidates = [info for info in infos if info.in_profile] or [
        replace(info, in_profile=tuple(kind for kind in info.loads if kind != loads.MIXED))
        for info in infos
    ]
    return [
        replace(info, case=info.case.with_load(load, payload))
        for info in candidates
        for wanted in info.in_profile
        if wanted.partition("-")[0] in info.loads
        # A single load is for counting: around no work callers meet most often.
        for load, payload in PROFILE_LOADS.get(wanted, [(wanted, info.payloads[0])])
        if payload in info.payloads
    ]


def select_real_cases(infos: Sequence[CaseInfo], payloads: Collection[str] = ()) -> list[CaseInfo]:
    """Return the cases of the profile of real calls: those that ask to be in it, or else all.

    By default that is every payload that does real work, under the loads of the profile.
    ``payloads`` selects some, called by one caller, and only of cases that ask to be in it.
    """
    able = [info for info in map(_leave_out_outages, infos) if info.real_payloads]
    asked = [info for info in able if REAL in info.in_profile]
    return [
        replace(info, case=info.case.with_load(load, payload.name))
        for info in (asked if asked or payloads else able)
        for payload in info.real_payloads
        for number, load in enumerate(REAL_LOADS[loads.TASKS in info.loads])
        if (not payloads or payload.name in payloads)
        and (number == 0 or (not payloads and payload.name not in VARIANTS))
    ]


def _leave_out_outages(info: CaseInfo) -> CaseInfo:
    some = tuple(payload for payload in info.real_payloads if payload.server != FLAKY)
    return replace(info, real_payloads=some)


def select_outage_cases(infos: Sequence[CaseInfo]) -> list[CaseInfo]:
    """Return the cases of the profile of outages: those that ask to be in it, or else all."""
    found = [
        around
        for info in infos
        for payload in info.real_payloads
        if (around := replace(info, case=info.case.with_load(loads.SINGLE, payload.name)))
        if around.is_in_outage
    ]
    return [info for info in found if CHAOS in info.in_profile] or found


def select_gated_cases(infos: Sequence[CaseInfo]) -> list[CaseInfo]:
    """Return the cases under load that gates judge: they would show a lock held too long."""
    return [
        replace(info, case=info.case.with_load(*GATE_LOAD))
        for info in infos
        if loads.THREADS in info.in_profile and {loads.NOOP, loads.IO} <= set(info.payloads)
    ]

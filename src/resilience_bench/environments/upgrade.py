"""An upgrade: the packages in which two environments differ, and which subsets fit together."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from resilience_bench.environments import pip, recipe, variants
from resilience_bench.environments.recipe import Recipe
from resilience_bench.environments.variants import Notifier, Variant
from resilience_bench.environments.wheels import applies

QUERY: Final = """import sys; sys.path = [path for path in sys.path if path]
import importlib.metadata, json
print(json.dumps([
    (one.metadata["Name"], one.version, one.requires or [], one.read_text("direct_url.json"))
    for one in importlib.metadata.distributions() if one.metadata["Name"]
]))"""

LOCAL: Final = "local"
"""The origin of a package whose sources are a copy of what is installed here."""

Packages = Mapping[str, "Package"]
"""What an environment has, by normalised name."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution; ``url`` is where it came from if that was no index."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    url: str = ""

    @property
    def pin(self) -> str:
        """What a `Recipe` installs: the version, or the URL."""
        return self.url or self.version


@dataclass(frozen=True, slots=True)
class Change:
    """A package in which two environments differ; one side is None if it was added or removed."""

    name: str
    before: Package | None
    after: Package | None

    def __str__(self) -> str:
        """Return e.g. ``tenacity 9.1.2 -> 9.2.1``."""
        if self.before is None or self.after is None:
            one = self.after or self.before
            version = one.version if one else ""
            return f"{self.name} {version} {'added' if self.after else 'removed'}"
        if self.before.version == self.after.version:
            return f"{self.name} {self.after.version} from {self.after.url or 'the index'}"
        return f"{self.name} {self.before.version} -> {self.after.version}"


@dataclass(frozen=True, slots=True)
class Step:
    """A state between two environments: what it has, and the conflicts that rule it out."""

    packages: Packages
    conflicts: tuple[str, ...] = ()


def query_packages(variant: Variant) -> dict[str, Package]:
    """Return what is installed in a variant, with what it requires and where it came from."""
    with pip.refuse_unusable_interpreter(variant.text):
        found: list[Any] = pip.query_interpreter(variant.python, QUERY)
    packages: dict[str, Package] = {}
    for name, version, requires, origin in found:
        key = canonicalize_name(name)
        packages.setdefault(key, Package(key, version, tuple(requires), _read_origin(origin)))
    return packages


def _read_origin(text: str | None) -> str:
    """Return the URL that pip installed from, see the specification of ``direct_url.json``."""
    origin: dict[str, Any] = json.loads(text or "{}")
    url: str = origin.get("url", "")
    parts = urlsplit(url)
    if parts.scheme == "file" and not Path(unquote(parts.path)).exists():
        return LOCAL
    if control := origin.get("vcs_info"):
        return f"{control['vcs']}+{url}@{control['commit_id']}"
    return url


def find_changes(before: Packages, after: Packages) -> list[Change]:
    """Return the packages that differ, by name."""
    return [
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if _identify(before.get(name)) != _identify(after.get(name))
    ]


def _identify(package: Package | None) -> tuple[str, str] | None:
    return (package.version, package.url) if package else None


def order_changes(before: Packages, changes: Iterable[Change]) -> tuple[list[Change], list[Step]]:
    """Order changes so that few states on the way have conflicts; return the states as well.

    The first state is ``before``, each next one has one change more. A conflict that was there
    before counts as none.
    """
    left = list(changes)
    ordered: list[Change] = []
    known = set(find_conflicts(before))
    steps = [Step(before)]
    while left:
        here = steps[-1].packages
        options = [(apply_changes(here, [change]), change) for change in left]
        rated = [
            (sorted(set(find_conflicts(packages)) - known), number, packages, change)
            for number, (packages, change) in enumerate(options)
        ]
        conflicts, _, packages, change = min(rated, key=lambda one: (len(one[0]), one[1]))
        left.remove(change)
        ordered.append(change)
        # What the last state has is what was asked for, conflicts and all.
        steps.append(Step(packages, tuple(conflicts) if left else ()))
    return ordered, steps


def apply_changes(before: Packages, changes: Iterable[Change]) -> dict[str, Package]:
    """Return an environment with some packages changed."""
    packages = dict(before)
    for change in changes:
        if change.after:
            packages[change.name] = change.after
        else:
            packages.pop(change.name, None)
    return packages


def find_conflicts(packages: Packages) -> list[str]:
    """Return what packages require of each other and do not get, a line each."""
    found = []
    for package in packages.values():
        for text in package.requires:
            try:
                wanted = Requirement(text)
            except InvalidRequirement:  # metadata of an old release
                continue
            if not applies(wanted, set()):
                continue
            there = packages.get(canonicalize_name(wanted.name))
            if there and wanted.specifier.contains(there.version, prereleases=True):
                continue
            have = f"{there.name} {there.version}" if there else "none"
            needs = f"{wanted.name}{wanted.specifier}"
            found.append(f"{package.name} {package.version} needs {needs}, found {have}")
    return found


def make_environment(
    packages: Packages,
    needed: Sequence[str],
    *,
    options: Sequence[str] = (),
    base: Variant | None = None,
    note: Notifier = lambda _: None,
) -> Variant:
    """Find or make the environment that has exactly these packages.

    ``options`` tell pip where they are; ``base`` is another interpreter than the running one.
    VariantError if it cannot be made.
    """
    text = "BASE with some packages of HEAD"
    local = [name for name, package in packages.items() if package.url == LOCAL]
    pins = {name: package.pin for name, package in packages.items() if package.url != LOCAL}
    with variants.create_scratch_folder(text) as scratch:
        # Makes copies of what is installed here from a folder.
        recipe.plan([*needed, *local], scratch)
        folders = [recipe.get_copy_folder(name, scratch) for name in local]
        content = Recipe(
            (),
            {},
            pins,
            tuple(folder for folder in folders if folder.is_dir()),
            options=tuple(options),
        )
        fill = functools.partial(variants.fill_environment, text, content)
        key = content.key(*variants.identify(base))
        return variants.find_or_build(text, key, fill, base, note)[0]

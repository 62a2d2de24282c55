"""A fresh clone installs only what the demo imports, and all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

IMPORTS = """
import json, sys
import demo.__main__, demo.prices, demo.service.__main__, demo.service.app
import resilience_stack.integrations.redis, resilience_stack.integrations.sqlalchemy
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def read_requirements() -> list[Requirement]:
    """What scripts/demo installs."""
    lines = (ROOT / "demo" / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def collect(requirements: list[Requirement], found: set[str]) -> set[str]:
    """The names of the requirements, and of all that they require themselves."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        needed = map(Requirement, distribution(name).requires or ())
        extras = requirement.extras or {""}
        collect(
            [
                each
                for each in needed
                if not each.marker or any(each.marker.evaluate({"extra": one}) for one in extras)
            ],
            found,
        )
    return found


def test_what_the_demo_imports_is_installed_for_it() -> None:
    """No module of the demo comes from a package that a fresh clone would lack."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    owners = packages_distributions()
    imported = {
        canonicalize_name(owner)
        for module in json.loads(done.stdout)
        for owner in owners.get(module, ())
    }
    ours = {"resilience-bench", "resilience-stack"}
    # Imported where they happen to be there.
    optional = {"colorama", "psutil", "pygments", "setuptools", "tornado"}
    assert "starlette" in imported
    assert imported - ours - optional <= collect(read_requirements(), set())


@pytest.mark.parametrize("requirement", read_requirements(), ids=str)
def test_its_version_is_in_the_lock_file(requirement: Requirement) -> None:
    """The lock file is the constraint, so the demo has the versions that are tested."""
    names = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().split()}
    assert canonicalize_name(requirement.name) in names

"""What monitoring/README.md says how to install: its commands, as somebody types them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.monitoring.rules import ALERTS, MONITORING, RULE_FILES, list_rules, promtool, read

TEXT = (MONITORING / "README.md").read_text()
BLOCKS = [
    textwrap.dedent(found) for found in re.findall(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+", TEXT)
]
LARGEST_CONFIGMAP_BYTES = 1 << 20
KUBECTL = """#!/bin/sh
echo "$*" >> "$CALLS/commands"
case "$*" in "apply -f -") cat > "$(mktemp "$CALLS/XXXXXX.yml")";; esac
"""


def find_block(word: str) -> str:
    """The one block of the page with this word."""
    [block] = [block for block in BLOCKS if word in block]
    return block


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder, as a team has it."""
    return shutil.copytree(MONITORING, tmp_path / "monitoring")


def type_in(folder: Path, commands: str, **variables: str) -> None:
    """Type the commands of a block in a folder; each has to succeed."""
    subprocess.run(["bash", "-euc", commands], cwd=folder, env=os.environ | variables, check=True)


@pytest.mark.needs("promtool")
def test_an_address_of_ones_own_is_everywhere_and_the_tests_still_pass(copy: Path) -> None:
    """After the command no file but the page has the address of nobody; tests expect the new."""
    type_in(copy, find_block("sed -i"))
    files = [path for path in copy.rglob("*") if path.is_file() and path.name != "README.md"]
    assert not [path for path in files if "resilience-bench.example" in path.read_text()]
    new = [rule["annotations"]["runbook_url"] for rule in list_rules(*copy.glob("alerts/*.yml"))]
    assert len(new) == len(ALERTS)
    assert all(url.startswith("https://wiki.mycompany.example/") for url in new)
    tested = promtool("test", "rules", copy / "tests" / "scrapes.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.needs("promtool")
def test_prometheus_finds_the_rules_where_the_page_puts_them(copy: Path) -> None:
    """The lines for prometheus.yml are valid, and name every file that was copied."""
    etc = copy.parent / "etc"
    for name in ("recording", "alerts"):
        shutil.copytree(copy / name, etc / "rules" / "resilience" / name)
    lines = find_block("rule_files:").replace("/etc/prometheus", str(etc))
    (etc / "prometheus.yml").write_text(lines)
    checked = promtool("check", "config", etc / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(RULE_FILES)} rule files found" in checked.stdout


@pytest.mark.needs("promtool")
def test_the_configuration_to_try_it_with_is_valid(copy: Path) -> None:
    """It names all the rules, from the folder that it lies in."""
    checked = promtool("check", "config", copy / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(RULE_FILES)} rule files found" in checked.stdout


def test_the_operator_gets_every_rule_and_every_dashboard(copy: Path) -> None:
    """Each file is the spec of a PrometheusRule of its own name; the dashboards fit into one."""
    programs, calls = copy.parent / "bin", copy.parent / "calls"
    programs.mkdir()
    calls.mkdir()
    (programs / "kubectl").write_text(KUBECTL)
    (programs / "kubectl").chmod(0o755)
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)}
    for word in ("kubectl apply", "kubectl create configmap"):
        type_in(copy, find_block(word), **variables)
    applied = {made["metadata"]["name"]: made for made in map(read, calls.glob("*.yml"))}
    assert {made["kind"] for made in applied.values()} == {"PrometheusRule"}
    assert {name: made["spec"] for name, made in applied.items()} == {
        f"resilience-{path.stem}": read(path) for path in RULE_FILES
    }
    commands = (calls / "commands").read_text().splitlines()
    [folder] = re.findall(r"create configmap \S+ --from-file=(\S+)", "\n".join(commands))
    sizes = [path.stat().st_size for path in (copy / folder).iterdir()]
    assert len(sizes) == 3
    assert sum(sizes) < LARGEST_CONFIGMAP_BYTES


def test_grafana_looks_where_the_page_puts_the_dashboards() -> None:
    """The folder of the provisioning is that of the page."""
    path = MONITORING / "grafana" / "provisioning" / "dashboards" / "resilience.yml"
    [provider] = yaml.safe_load(path.read_text())["providers"]
    assert f"Copy `dashboards/` to `{provider['options']['path']}/`" in TEXT

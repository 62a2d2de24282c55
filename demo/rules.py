"""The rules of monitoring/, as the demo's Prometheus gets them: with shorter times."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from demo.errors import DemoError

DAY_MS: Final = 86_400_000
UNITS_MS: Final = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
    "y": 365 * DAY_MS,
}
PART: Final = re.compile(r"(\d+)(ms|[smhdwy])")
DURATION: Final = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
RANGE: Final = re.compile(r"\[[^\]]+\]")
"""A range, or a subquery, of an expression."""


def shorten(duration: str, speed: float) -> str:
    """Return a duration of Prometheus divided by a factor, in milliseconds.

    Args:
        duration: Such as ``5m`` or ``1h30m``.
        speed: The factor; at 1 the duration stays as it is written.
    """
    if speed == 1:
        return duration
    total_ms = sum(int(number) * UNITS_MS[unit] for number, unit in PART.findall(duration))
    return f"{max(round(total_ms / speed), 1)}ms"


def read_rules(folder: Path, speed: float) -> dict[str, str]:
    """Read the recording rules and the alerts, and shorten all their times by one factor.

    Each ``for`` and each range is divided, so that one rule means the same for a history that runs
    faster by this factor. The names of recorded series stay, and so do the texts.

    Args:
        folder: Has the folders ``alerts`` and ``recording``.
        speed: The factor.

    Returns:
        The text of each file, by a name without a folder.

    Raises:
        DemoError: If there is no file, or one is broken.
    """
    paths = [*sorted(folder.glob("recording/*.yml")), *sorted(folder.glob("alerts/*.yml"))]
    if not paths:
        raise DemoError(f"there is no rule file below {folder}; name another: --rules FOLDER")
    texts = {}
    for path in paths:
        try:
            groups = _read_groups(path)
            for group in groups:
                for rule in group["rules"]:
                    _shorten_rule(rule, speed)
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise _explain(path, str(error)) from error
        texts[f"{path.parent.name}-{path.name}"] = yaml.safe_dump({"groups": groups})
    _check(texts, folder)
    return texts


def _read_groups(path: Path) -> list[dict[str, Any]]:
    """Return the groups of a file; ValueError if they have no form of which times can be read."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    groups = content.get("groups") if isinstance(content, dict) else None
    if not groups or not isinstance(groups, list):
        raise ValueError("expected a key 'groups' with a list of groups")
    for group in groups:
        rules = group.get("rules") if isinstance(group, dict) else None
        if not rules or not isinstance(rules, list):
            raise ValueError("expected in each group a key 'rules' with a list of rules")
        if not all(isinstance(rule, dict) and isinstance(rule.get("expr"), str) for rule in rules):
            raise ValueError("expected in each rule a key 'expr' with a text")
    return groups


def _shorten_rule(rule: dict[str, Any], speed: float) -> None:
    for key in ("for", "keep_firing_for"):
        if key in rule:
            if not (isinstance(rule[key], str) and DURATION.fullmatch(rule[key])):
                raise ValueError(f"{key} is {rule[key]!r}, expected a duration such as '5m'")
            rule[key] = shorten(rule[key], speed)
    rule["expr"] = RANGE.sub(
        lambda found: DURATION.sub(lambda each: shorten(each[0], speed), found[0]), rule["expr"]
    )


def _check(texts: dict[str, str], folder: Path) -> None:
    """Let promtool check the rules, where it is installed; Prometheus would say less."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return
    with tempfile.TemporaryDirectory(prefix="resilience-bench-rules-") as scratch:
        for name, text in texts.items():
            path = Path(scratch) / name
            path.write_text(text, encoding="utf-8")
            command = [promtool, "check", "rules", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                said = (done.stderr or done.stdout).replace(scratch, "").strip()
                raise _explain(folder / name.replace("-", "/", 1), said)


def _explain(path: Path, said: str) -> DemoError:
    words = " ".join(said.split())[-200:]
    return DemoError(f"{path} is broken: {words}; mend it, or name other rules: --rules FOLDER")

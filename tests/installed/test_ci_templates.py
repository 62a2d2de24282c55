"""The GitHub Action and the GitLab template: their steps run in a shell, in a project."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.installed.conftest import Installation
from tests.installed.test_installed import MEMORY, prepare, succeed

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / ".gitlab/resilience-bench.yml").read_text(encoding="utf-8"))
ARGUMENTS = " ".join(MEMORY)
"""What is judged does not depend on how busy the machine is."""
INSTALLATION = ("Install the project and resilience-bench",)
"""One test runs this step; the others use what it installs, which is there already."""


def run_shell(installed: Installation, script: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run one step as a runner does, with the environment's Python first on the path."""
    path = f"{installed.python.parent}:{os.environ['PATH']}"
    cache = str(installed.project.parent / "cache")
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "COLUMNS"}
    here = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        cwd=installed.project,
        env={**here, "RESILIENCE_BENCH_CACHE": cache, **env, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def learn(installed: Installation, baseline: str) -> None:
    """Learn a baseline of the project, once."""
    if not (installed.project / baseline).exists():
        arguments = ("--runs", "2", *MEMORY, "-o", baseline)
        succeed(installed.bench("baseline", "learn", *arguments))


class Runner:
    """Runs the steps of the Action as GitHub does: in order, and ``always()`` after a failure."""

    def __init__(self, installed: Installation, tool: Path, folder: Path) -> None:
        self.installed = installed
        self.contexts = {"github.action_path": str(tool), "github.event.pull_request.base.sha": ""}
        self.output, self.summary = folder / "output", folder / "summary"
        for file in (self.output, self.summary):
            file.touch()
        self.said = ""
        self.left_out: tuple[str, ...] = ()

    def run(self, **inputs: str) -> int:
        """Run the steps but those left out; return the exit code of the first that fails."""
        given = {name: str(value["default"]) for name, value in ACTION["inputs"].items()}
        values = {f"inputs.{name}": value for name, value in {**given, **inputs}.items()}
        self.contexts |= values
        failed = 0
        for step in ACTION["runs"]["steps"]:
            assert step["shell"] == "bash"
            condition = step.get("if", "success()")
            if condition.startswith("inputs."):
                name, wanted = condition.split(" == ")
                condition = "success()" if self.contexts[name] == wanted.strip("'") else "never()"
            if condition != "always()" and (failed or condition != "success()"):
                continue
            if step["name"] in self.left_out:
                continue
            files = {"GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary)}
            env = {name: self.fill(value) for name, value in step.get("env", {}).items()}
            code, said = run_shell(self.installed, step["run"], {**files, **env})
            self.said += said
            failed = failed or code
        return failed

    def fill(self, text: str) -> str:
        """Put the values of contexts into an expression."""
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda match: self.contexts[match[1]], text)


@pytest.fixture
def runner(base: Installation, wheel: Path, tmp_path: Path) -> Iterator[Runner]:
    """The Action in a project that measures its own guard; reports are taken away afterwards."""
    yield Runner(prepare(base), wheel, tmp_path)
    for name in ("resilience-bench.md", "resilience-bench.xml"):
        (base.project / name).unlink(missing_ok=True)


def test_a_pull_request_that_costs_more_is_red(runner: Runner) -> None:
    """The base of the pull request is what is compared with; the report is in the summary."""
    runner.contexts["github.event.pull_request.base.sha"] = "HEAD~1"
    assert runner.run(arguments=ARGUMENTS, valgrind="false") == 1, runner.said
    assert runner.output.read_text() == "exit-code=1\n"
    assert "1 regressed" in runner.summary.read_text()
    assert "::error" in runner.said
    assert (runner.installed.project / "resilience-bench.xml").is_file()


def test_a_push_is_checked(runner: Runner) -> None:
    """Without a pull request the baseline is what decides."""
    runner.left_out = INSTALLATION
    learn(runner.installed, "baselines/ci.json")
    code = runner.run(
        arguments=ARGUMENTS, baseline="baselines/ci.json", selectors="guard.*", valgrind="false"
    )
    assert code == 0, runner.said
    assert runner.output.read_text() == "exit-code=0\n"
    assert "regressed" in runner.summary.read_text()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"command": "compare"}, "set the input 'base'"),
        ({"command": "chekc"}, "expected auto, compare or check"),
        ({"base": "git:no-such-revision"}, "no-such-revision"),
    ],
)
def test_what_cannot_be_judged_says_what_to_set(
    runner: Runner, inputs: dict[str, str], said: str
) -> None:
    """The exit code is 2, an output too, and the line names the input."""
    runner.left_out = INSTALLATION
    assert runner.run(**inputs, arguments=ARGUMENTS, valgrind="false") == 2
    assert said in runner.said
    assert runner.output.read_text() == "exit-code=2\n"
    assert runner.summary.read_text() == ""


def test_every_expression_names_something_that_exists() -> None:
    """An input that is misspelt would be empty, and say nothing."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    for entry in ACTION["inputs"].values():
        assert entry["description"]
        assert "default" in entry


def collect_script(job: dict[str, Any]) -> str:
    """The script of a GitLab job: that of what it extends, then its own."""
    template = GITLAB[job["extends"]]
    return "\n".join([*template["before_script"], *job["script"]])


@pytest.mark.parametrize(
    ("job", "arguments", "expected"),
    [
        ("resilience-bench-compare", "", 1),
        ("resilience-bench-check", "--baseline baselines/ci.json", 0),
    ],
)
def test_the_gitlab_template(
    base: Installation, wheel: Path, job: str, arguments: str, expected: int
) -> None:
    """Both jobs judge; the report and JUnit XML are where the artefacts are looked for."""
    installed = prepare(base)
    learn(installed, "baselines/ci.json")
    variables = {name: str(value) for name, value in GITLAB["variables"].items()}
    variables |= {
        "RESILIENCE_BENCH_TOOL": str(wheel),
        "RESILIENCE_BENCH_ARGUMENTS": f"{ARGUMENTS} {arguments}",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD~1",
    }
    variables.pop("RESILIENCE_BENCH_CACHE")
    script = collect_script(GITLAB[job]).replace("command -v valgrind", "true")
    code, said = run_shell(installed, script, variables)
    assert code == expected, said
    artifacts = GITLAB[".resilience-bench"]["artifacts"]
    for name in (*artifacts["paths"], artifacts["reports"]["junit"]):
        (installed.project / name).unlink()

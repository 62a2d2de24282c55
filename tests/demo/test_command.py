"""The command of the demo: what it says when something is wrong, and that it leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, require
from tests.demo.programs import ALONE, read_command, run_demo, start_demo
from tests.monitoring.rules import MONITORING
from tests.servers.leftovers import PATIENCE_S, Place, need, wait_until


def assert_nothing_left(place: Place) -> None:
    """No process and no folder is there a moment later."""
    wait_until(lambda: not place.list_processes(), "processes are left")
    wait_until(lambda: not place.list_folders(), "folders are left")


def test_without_any_server_it_runs_and_says_what_is_missing(place: Place) -> None:
    """SQLite and the price service are enough; each missing program is named with its use."""
    done = run_demo("--seconds", "1", *ALONE)
    assert done.returncode == 0, done.stderr
    for name in ("redis", "postgresql", "prometheus"):
        assert f"not used (--without {name}); with it: " in done.stderr
    assert_nothing_left(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_whatever_ends_it(place: Place, number: signal.Signals) -> None:
    """Ctrl-C, a polite request and kill -9 end all processes and remove all folders."""
    for name in ("redis", "postgres"):
        need(name)
    require("prometheus")
    with start_demo() as (process, _):
        assert len(place.list_processes()) > 8
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == (-number if number == signal.SIGKILL else 0)
        assert_nothing_left(place)


def test_a_taken_port_is_named(place: Place) -> None:
    """One line says so and what to type; nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_demo("--port", str(port), *ALONE)
    assert done.returncode == 2
    assert done.stderr == (
        f"demo: port {port} of 127.0.0.1 cannot be used (Address already in use); "
        "type: scripts/demo --port 0\n"
    )
    assert_nothing_left(place)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("demo", ("--without", "mysql")),
        ("demo", ("--port", "99999")),
        ("demo", ("--rat", "5", "--rate", "x")),
        ("drill", ("--runs", "0")),
        ("drill", ("--nothing",)),
    ],
)
def test_an_option_that_is_wrong_is_one_line(
    place: Place, name: str, options: tuple[str, ...]
) -> None:
    """It names the option and what to type, without the name of a module; nothing was started."""
    module = {"demo": "demo", "drill": "demo.drill"}[name]
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{name}: ")
    assert any(option in line for option in options)
    assert line.endswith(f"; type: scripts/{name} --help")
    assert_nothing_left(place)


def test_a_prometheus_that_does_not_start_is_quoted(place: Place, tmp_path: Path) -> None:
    """Its last words and what to type are in the last line; all that ran before is ended."""
    broken = tmp_path / "prometheus"
    broken.write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    broken.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = run_demo(*ALONE[:4], PATH=path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "demo: Prometheus did not start; it ended with exit code 3; it said: no space left; "
        "type: scripts/demo --without prometheus"
    )
    assert_nothing_left(place)


@pytest.mark.needs("prometheus")
def test_a_broken_rule_file_is_named(place: Place, tmp_path: Path) -> None:
    """One line says which file, and what to type; nothing was started."""
    rules = tmp_path / "monitoring"
    shutil.copytree(MONITORING, rules)
    (rules / "alerts" / "calls.yml").write_text("groups: [")
    done = run_demo("--rules", str(rules), *ALONE[:4])
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"demo: {rules / 'alerts' / 'calls.yml'} is broken: ")
    assert line.endswith("mend it, or name other rules: --rules FOLDER")
    assert_nothing_left(place)


def test_only_its_own_page_can_press_a_button(place: Place) -> None:
    """A page from elsewhere has neither the header nor the name; an odd button is not found."""

    def ask(path: str, method: str = "GET", **headers: str) -> int:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{home}{path}", method=method, headers=fields)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status: int = response.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    with start_demo(*ALONE) as (_, home):
        assert ask("") == ask("state") == 200
        assert ask("state", Host="elsewhere.example") == 400
        assert ask("press/prices/slow", "POST") == 403
        assert ask("press/prices/slow", "POST", X_Demo="1") == 200
        assert ask("press/prices/explode", "POST", X_Demo="1") == 404
        assert ask("press/nothing/slow", "POST", X_Demo="1") == 404
        assert ask("press/database/kill", "POST", X_Demo="1") == 404
        with urllib.request.urlopen(f"{home}state", timeout=60) as response:
            state = json.load(response)
        assert {each["name"]: each["broken"] for each in state["dependencies"]} == {
            "prices": "slow",
            "database": "",
        }
    assert_nothing_left(place)


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize(
    ("program", "title", "advice"),
    [
        ("prices.py", "price service", "press heal"),
        ("-m demo.service", "the service", "end the demo and start it again"),
        ("prometheus ", "Prometheus", "end the demo and start it again"),
    ],
)
def test_what_ends_by_itself_is_on_the_page(
    place: Place, program: str, title: str, advice: str
) -> None:
    """Neither old guards nor old alerts are shown of it; the page names it, and what to do."""

    def read() -> dict[str, Any]:
        with urllib.request.urlopen(f"{home}state", timeout=60) as response:
            state: dict[str, Any] = json.load(response)
            return state

    with start_demo(*ALONE[:4]) as (_, home):
        wait_until(lambda: read()["guards"], "no guard is shown")
        assert read()["gone"] == []
        pids = [pid for pid in place.list_processes() if program in read_command(pid)]
        os.kill(min(pids), signal.SIGKILL)
        wait_until(lambda: read()["gone"], "its end is not shown")
        state = read()
        [line] = state["gone"]
        assert line.startswith(f"{title} is gone: it was ended by signal 9; ")
        assert line.endswith(f"; {advice}")
        assert line in [event["text"] for event in state["events"]]
        assert bool(state["prometheus"]) is (title != "Prometheus")
        assert bool(state["guards"]) is (title != "the service")
        if advice == "press heal":
            healing = urllib.request.Request(
                f"{home}press/prices/heal", method="POST", headers={"X-Demo": "1"}
            )
            urllib.request.urlopen(healing, timeout=60).close()
            wait_until(lambda: not read()["gone"], "it is not healed")
    assert_nothing_left(place)

"""What makes hosts a fleet, and the line for each thing that is wrong with one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resilience_bench.fleet.errors import FleetError
from resilience_bench.fleet.facts import (
    HostFacts,
    Needs,
    choose_hosts,
    describe_left_out,
    describe_tool,
    detect_facts,
)

ADDRESS = "tcp://10.0.0.5:8786"
PACKAGES = {"tenacity": "9.1.2", "pybreaker": "1.4.1"}
NEEDS = Needs(PACKAGES, ("latency", "instructions"))


def make_facts(host: str, **parts: object) -> HostFacts:
    """A host that can do everything."""
    facts = HostFacts(
        host,
        f"machine of {host}",
        100 + ord(host[0]),
        describe_tool(),
        "d8bfa847",
        "a processor",
        dict(PACKAGES),
        ("latency", "instructions"),
    )
    return replace(facts, **parts)  # type: ignore[arg-type]


def choose(*facts: HostFacts | None, kind: str = "") -> dict[str, HostFacts]:
    """The hosts that are chosen of these."""
    found = {f"tcp://10.0.0.{number}:1": one for number, one in enumerate(facts)}
    return choose_hosts(ADDRESS, found, NEEDS, kind)


def test_hosts_that_are_alike_are_a_fleet() -> None:
    """All hosts of one kind, with the same tool and packages, are chosen."""
    assert len(choose(make_facts("a"), make_facts("b"))) == 2


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([], "has no worker; expected at least one; type 'resilience-bench fleet worker tcp"),
        ([None], "at tcp://10.0.0.0:1 was not started by this tool"),
        (
            [make_facts("a"), make_facts("b", machine="machine of a")],
            "host b has two workers, processes 197 and 198; expected one",
        ),
        (
            [make_facts("a"), make_facts("a", machine="another", pid=7)],
            "two hosts are called a; .* --host NAME",
        ),
        (
            [make_facts("a", tool="0.0.1 (code 00000000)")],
            r"host a has resilience-bench 0\.0\.1 \(code 00000000\), here it is",
        ),
        (
            [make_facts("a", packages={"tenacity": "8.0.0", "pybreaker": "1.4.1"})],
            "host a has tenacity 8.0.0, here it is 9.1.2; .* type 'pip install tenacity==9.1.2'",
        ),
        (
            [make_facts("a", packages={"tenacity": "9.1.2"})],
            "host a has pybreaker not installed, here it is 1.4.1",
        ),
        ([make_facts("a", signals=("latency",))], "cannot measure instructions; .* --signals lat"),
    ],
)
def test_what_is_wrong_is_one_line(facts: list[HostFacts | None], reason: str) -> None:
    """The line names the address, what differs, and what to type."""
    with pytest.raises(FleetError, match=reason) as caught:
        choose(*facts)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(ADDRESS)


def test_kinds_are_never_mixed() -> None:
    """The kind of most hosts measures; others are named, and may be asked for."""
    facts = [make_facts("a"), make_facts("b"), make_facts("c", kind="ffff0000")]
    chosen = choose(*facts)
    assert {one.host for one in chosen.values()} == {"a", "b"}
    found = {f"tcp://10.0.0.{number}:1": one for number, one in enumerate(facts)}
    assert "c (kind ffff0000)" in describe_left_out(found, chosen)
    assert not describe_left_out(chosen, chosen)
    assert {one.host for one in choose(*facts, kind="ff").values()} == {"c"}
    with pytest.raises(FleetError, match="no host is of kind 'x'; expected one of d8bfa847, ffff"):
        choose(*facts, kind="x")


def test_a_machine_is_distinguished_from_another_by_itself_or_by_name() -> None:
    """Two workers of one machine say the same of it, unless a trial gives them names."""
    first, second = detect_facts(), detect_facts()
    assert first.machine == second.machine
    assert detect_facts("one").machine != detect_facts("two").machine
    assert first.kind == detect_facts("one").kind
    assert first.tool.endswith(")")

"""asv's pages from what can be read; what cannot is named, and stays where it is."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asv.results import Results
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience_bench.commits import asv_files
from resilience_bench.commits.asv_files import UnreadableFileError
from resilience_bench.commits.publish import Publication, publish
from resilience_bench.errors import HistoryError
from scripts.lib.asv_tree import MACHINE, make_repository, make_results

COMMITS = 24
BENCHMARK = "breaker.Breaker000.track_ratio"
Damage = Callable[[Path], object]


def edited(**changes: Any) -> Damage:
    """Change keys of a results file."""

    def damage(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


def row(*values: Any) -> Damage:
    """Change what a results file says of one benchmark."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        stored = content["results"][BENCHMARK]
        stored[: len(values)] = values
        path.write_text(json.dumps(content))

    return damage


def cut_short(path: Path) -> None:
    """Leave half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unlinked(path: Path) -> None:
    """Leave a link to nothing."""
    path.unlink()
    path.symlink_to("nothing")


DAMAGES: list[tuple[Damage, str]] = [
    (cut_short, "is no JSON, or was cut short"),
    (lambda path: path.write_bytes(b""), "is no JSON, or was cut short"),
    (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is no JSON, or was cut short"),
    (lambda path: path.write_text("[" * 100_000), "is no JSON, or was cut short"),
    (lambda path: path.write_text("[1]"), "is not in version 2 of asv's format"),
    (edited(version=3), "is not in version 2 of asv's format"),
    (edited(commit_hash="../x"), "commit_hash is '../x', expected 40 hexadecimal digits"),
    (edited(commit_hash="0" * 40), "its commit 00000000 is not in the history"),
    (edited(date=1e300), "date is 1e+300, expected milliseconds since 1970"),
    (edited(params={**MACHINE, "machine": "other"}), "is of machine 'other', expected 'made-up'"),
    (edited(params={}), "params names no machine"),
    (edited(params=None), "expected `object`, got `null`"),
    (edited(results=[]), "expected `object`, got `array`"),
    (edited(result_columns=["speed"]), "result_columns has 'speed', which asv does not know"),
    (row(["fast"]), f"{BENCHMARK}: expected `float | null`, got `str`"),
    (row([1.0]), f"{BENCHMARK}: result has 1 values, expected 10"),
    (row([1.0] * 10, [["a"], ["b"]]), f"{BENCHMARK}: result has 10 values, expected 1"),
    (unlinked, "cannot be read: No such file or directory"),
]


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A made-up project, some of whose files are damaged, and what was published of it."""

    folder: Path
    hashes: list[str]
    damaged: dict[Path, bytes]
    reasons: dict[Path, str]
    published: Publication


def contents(paths: list[Path]) -> dict[Path, bytes]:
    """The bytes of files; a link stands for itself."""
    return {
        path: bytes(path.readlink()) if path.is_symlink() else path.read_bytes() for path in paths
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A history whose first commits have damaged results, one kind of damage each."""
    folder = tmp_path_factory.mktemp("made")
    hashes = make_repository(folder, COMMITS)
    make_results(folder, hashes, 20)
    paths = [
        folder / "results" / "asv" / "made-up" / f"{hashe[:8]}-existing.json" for hashe in hashes
    ]
    for path, (damage, _) in zip(paths, DAMAGES, strict=False):
        damage(path)
    nothing = {name: [None] for name in json.loads(paths[-1].read_text())["results"]}
    edited(results=nothing)(paths[-1])
    damaged = contents(paths[: len(DAMAGES)])
    reasons = dict(zip(paths, [reason for _, reason in DAMAGES], strict=False))
    published = publish(folder / "asv.conf.json", folder / "site")
    return Made(folder, hashes, damaged, reasons, published)


@pytest.mark.needs("git")
def test_each_damaged_file_is_named_with_its_reason(made: Made) -> None:
    """They are skipped and counted, and nothing else is."""
    skipped = dict(made.published.skipped)
    assert set(skipped) == set(made.damaged)
    for path, reason in made.reasons.items():
        assert reason in skipped[path]
        assert "\n" not in skipped[path]


@pytest.mark.needs("git")
def test_damaged_files_stay_as_they_are(made: Made) -> None:
    """Publishing moves and deletes nothing."""
    assert contents(list(made.damaged)) == made.damaged


@pytest.mark.needs("git")
def test_the_others_are_published(made: Made) -> None:
    """Asv's data hold the commits that could be read, and all benchmarks."""
    readable = set(made.hashes[len(DAMAGES) :])
    index = json.loads((made.folder / "site" / "index.json").read_text())
    assert set(index["revision_to_hash"].values()) == readable
    assert set(index["benchmarks"]) == {BENCHMARK, "breaker.Breaker001.track_ratio"}
    assert made.published.commits == len(readable)
    assert made.published.benchmarks == 2
    assert (made.folder / "site" / "regressions.xml").exists()


@pytest.mark.needs("git")
def test_commits_that_do_not_build_are_reported(made: Made) -> None:
    """Their results say that everything failed."""
    assert made.published.unbuilt == (made.hashes[-1],)


@pytest.mark.needs("git")
def test_nothing_is_left_beside_the_pages(made: Made) -> None:
    """What was staged is gone."""
    assert not list(made.folder.glob(".publishing-*"))


@pytest.mark.needs("git")
def test_a_machine_that_cannot_be_read_loses_no_results(made: Made, tmp_path: Path) -> None:
    """Each results file says what it was measured on."""
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder, symlinks=True)
    machine = folder / "results" / "asv" / "made-up" / "machine.json"
    machine.write_text("{")
    (folder / "site" / "old.txt").write_text("old")
    published = publish(folder / "asv.conf.json", folder / "site")
    assert published.commits == made.published.commits
    reasons = dict(published.skipped)
    assert "is no JSON" in reasons.pop(machine)
    assert len(reasons) == len(DAMAGES)
    index = json.loads((folder / "site" / "index.json").read_text())
    assert index["machines"]["made-up"] == {**MACHINE, "version": 1}
    assert not (folder / "site" / "old.txt").exists()


@pytest.mark.needs("git")
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda folder: (folder / "asv.conf.json").unlink(),
            "asv.conf.json: .*expected the config",
        ),
        (lambda folder: (folder / "asv.conf.json").write_text("{"), "expected the configuration"),
        (
            lambda folder: (folder / "results" / "asv" / "benchmarks.json").unlink(),
            "benchmarks.json: cannot be read: .*asv run --bench just-discover",
        ),
        (
            lambda folder: (folder / "results" / "asv" / "benchmarks.json").write_text(
                '{"version": 2, "a": 1}'
            ),
            "benchmarks.json: expected `object`.*asv run --bench just-discover",
        ),
        (
            lambda folder: shutil.rmtree(folder / "results" / "asv" / "made-up"),
            "found no results to publish; type 'scripts/history'",
        ),
    ],
)
def test_what_cannot_be_published_is_said_in_a_line(
    made: Made, tmp_path: Path, damage: Damage, reason: str
) -> None:
    """The pages that were there stay."""
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder, symlinks=True)
    damage(folder)
    with pytest.raises(HistoryError, match=reason) as caught:
        publish(folder / "asv.conf.json", folder / "site")
    assert "\n" not in str(caught.value)
    assert (folder / "site" / "index.json").exists()


@pytest.mark.needs("git")
def test_asvs_own_failure_is_one_line_and_keeps_the_pages(made: Made, tmp_path: Path) -> None:
    """Where the repository is gone there is nothing that we could mend."""
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder, symlinks=True)
    shutil.rmtree(folder / ".git")
    for path in asv_files.find_results_paths(folder / "results" / "asv"):
        if path.name[:8] not in {hashe[:8] for hashe in made.hashes[len(DAMAGES) :]}:
            path.unlink()
    with pytest.raises(HistoryError, match=r"could not publish|found no results") as caught:
        publish(folder / "asv.conf.json", folder / "site")
    assert "\n" not in str(caught.value)
    assert (folder / "site" / "index.json").exists()


KEYS = ["commit_hash", "date", "params", "python", "result_columns", "results", "env_vars"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    LEAVES, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=8
)


@settings(max_examples=60)
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_damage_is_a_reason(made: Made, tmp_path: Path, key: str, value: object) -> None:
    """Whatever stands at a key, either asv can read it or we say why not."""
    undamaged = made.folder / "results" / "asv" / "made-up" / f"{made.hashes[-2][:8]}-existing.json"
    whole = {**json.loads(undamaged.read_text()), key: value}
    path = tmp_path / "file.json"
    path.write_text(json.dumps(whole))
    with contextlib.suppress(UnreadableFileError):
        asv_files.read(path)
        # What we accept, asv accepts as well.
        assert Results.load(str(path), MACHINE["machine"]).commit_hash == whole["commit_hash"]

"""A site takes its place when it is whole: never half of it, never in the place of other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.errors import UnwritableOutputError
from resilience_bench.site import staging
from resilience_bench.site.staging import MARKER, replace_folder


def old_site(folder: Path) -> Path:
    """A site that was made before."""
    folder.mkdir(parents=True)
    (folder / MARKER).write_text("{}")
    (folder / "index.html").write_text("old")
    return folder


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_new_one_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """Nothing of the old one is left in it, and nothing beside it."""
    place = old_site(tmp_path / "site")
    with replace_folder(place) as folder:
        (folder / "new.html").write_text("new")
        assert (place / "index.html").read_text() == "old"
    assert names(place) == ["new.html"]
    assert names(tmp_path) == ["site"]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_the_old_one(tmp_path: Path, trouble: type[BaseException]) -> None:
    """As it was, and nothing beside it."""
    place = old_site(tmp_path / "site")

    def half() -> None:
        with replace_folder(place) as folder:
            (folder / "half.html").write_text("half")
            raise trouble

    with pytest.raises(trouble):
        half()
    assert names(place) == ["index.html", MARKER]
    assert names(tmp_path) == ["site"]


def test_an_interruption_between_the_renames_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment neither is in its place."""
    place = old_site(tmp_path / "site")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(staging.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replace_folder(place):
        pass
    assert names(place) == ["index.html", MARKER]


def test_what_asv_has_published_there_may_be_replaced(tmp_path: Path) -> None:
    """'asv publish' writes into the place of the site before there is one."""
    place = tmp_path / "site"
    (place / "history").mkdir(parents=True)
    with replace_folder(place):
        pass
    assert names(place) == []


def test_other_files_are_refused_and_kept(tmp_path: Path) -> None:
    """Who names the wrong folder does not lose it."""
    place = tmp_path / "documents"
    place.mkdir()
    (place / "letter.txt").write_text("dear")
    with (
        pytest.raises(UnwritableOutputError, match=r"found letter\.txt, which would be lost"),
        replace_folder(place),
    ):
        pytest.fail("nothing is to be made")
    assert names(place) == ["letter.txt"]


def test_a_file_in_the_place_is_refused(tmp_path: Path) -> None:
    """It stays what it is."""
    place = tmp_path / "site"
    place.write_text("mine")
    with (
        pytest.raises(UnwritableOutputError, match="it is a file, expected a folder"),
        replace_folder(place),
    ):
        pytest.fail("nothing is to be made")
    assert place.read_text() == "mine"


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    """In one line, with what to do."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UnwritableOutputError, match="give another folder with --output"),
        replace_folder(tmp_path / "file" / "site"),
    ):
        pytest.fail("nothing is to be made")

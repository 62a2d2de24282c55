"""Requirements files: what they mean, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience_bench.environments.requirement_files import read
from resilience_bench.errors import VariantError
from tests.wheels import write_project, write_wheel


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_included_files_comments_and_continued_lines_are_read(folder: Path) -> None:
    """As pip reads them: included from the folder of the file, bounds apart, options kept."""
    (folder / "sub").mkdir()
    (folder / "sub" / "base.txt").write_text("backoff==2.2\n")
    (folder / "bounds.txt").write_text("limits<3\n")
    (folder / "all.txt").write_text(
        "# comment\n-r sub/base.txt\n-c bounds.txt\n--index-url https://x.example/simple\n"
        "Tenacity==9.1.2 \\\n  --hash=sha256:0123  # why\n\npy_breaker[x]>=1 ; os_name == 'posix'\n"
    )
    found = read(folder / "all.txt")
    assert found.names == {"backoff", "limits", "tenacity", "py-breaker"}
    assert found.bounds == ["limits<3"]
    assert found.arguments == ("--index-url", "https://x.example/simple")
    assert found.requirements == 3
    assert found.lines[0] == "backoff==2.2"
    assert found.lines[2].split() == ["Tenacity==9.1.2", "--hash=sha256:0123"]


def test_a_name_at_an_address_is_a_requirement_whatever_the_address_ends_like(folder: Path) -> None:
    """An sdist's address is no file that would have to be here."""
    (folder / "all.txt").write_text("tiny-one @ https://x.example/tiny-one-1.0.tar.gz\n")
    found = read(folder / "all.txt")
    assert found.names == {"tiny-one"}
    assert found.lines == ["tiny-one @ https://x.example/tiny-one-1.0.tar.gz"]
    assert not found.sources


def test_wheels_and_projects_are_found_from_where_the_command_is_typed(folder: Path) -> None:
    """They become absolute, and an editable one a copy."""
    wheel = write_wheel(folder / "w", "tiny-one", "1.0", {})
    project = write_project(folder / "project", "tiny-two", "1.0", "")
    (folder / "all.txt").write_text(f"./{wheel.relative_to(folder)}\n-e ./project\n")
    found = read(Path("all.txt"))
    assert found.lines == [str(wheel), str(project)]
    assert found.sources == [wheel, project]
    assert found.names == {"tiny-one"}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ("it requires nothing", "pip freeze")),
        ("# nothing\n--pre\n", ("it requires nothing",)),
        ("-r all.txt\n", ("includes itself",)),
        ("-c other.txt\n", ("other.txt, which all.txt includes", "No such file")),
        ("tenacity==9\ntenacity = 8\n", ("all.txt:2", "no requirement that pip understands")),
        ("./gone-1.0-py3-none-any.whl\n", ("all.txt:1", "there is no ./gone")),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, content: str, parts: tuple[str, ...]) -> None:
    """It names the file, the line where there is one, and what to do."""
    (folder / "all.txt").write_text(content)
    with pytest.raises(VariantError) as caught:
        read(Path("all.txt"))
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_loop_over_two_files_ends(folder: Path) -> None:
    """Each includes the other; the message says by way of which."""
    (folder / "one.txt").write_text("tenacity\n-r two.txt\n")
    (folder / "two.txt").write_text("-r one.txt\n")
    with pytest.raises(VariantError, match=r"one\.txt: it includes itself, by way of two\.txt"):
        read(Path("one.txt"))


def test_what_is_no_text_is_refused(folder: Path) -> None:
    """A folder and a binary file are no requirements files."""
    (folder / "bad.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("bad.txt", "."):
        with pytest.raises(VariantError, match="cannot be read"):
            read(folder / name)

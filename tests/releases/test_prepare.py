"""The environments of releases: made, or reported with the reason why not."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from resilience_bench.environments import variants
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, VariantError
from resilience_bench.releases.index import PublishedRelease
from resilience_bench.releases.prepare import check_import, ensure_installable, prepare_releases


def variant(text: str, python: Path = Path(sys.executable)) -> Variant:
    """A variant that was made."""
    return Variant(text, python.parent.parent, python, made=False, packages={})


def test_each_release_has_its_environment_or_a_reason() -> None:
    """In the order of the releases; what pip said stands alone, without advice around it."""

    def make(text: str) -> Variant:
        if text == "pip:thing==1.0":
            message = f"{text}: pip could not install it; it said: no wheel; expected releases"
            raise VariantError(message)
        return variant(text)

    def check(_: str, one: Variant) -> str:
        return "ImportError: gone" if one.text == "pip:thing==1.1" else ""

    releases = [PublishedRelease(value) for value in ("1.0", "1.1", "1.2")]
    found = prepare_releases("thing", releases, make, check)
    assert [(each.release.version, each.status, each.reason) for each in found] == [
        ("1.0", "does not install", "no wheel"),
        ("1.1", "does not import", "ImportError: gone"),
        ("1.2", "measured", ""),
    ]
    assert found[2].variant == variant("pip:thing==1.2")


def test_what_is_installed_beside_a_release_follows_it() -> None:
    """One text names the release and all that it does not require itself."""
    releases = [PublishedRelease("1.2")]
    beside = ("setuptools<81", "typing_extensions>=4,<5")
    (found,) = prepare_releases("thing", releases, variant, lambda *_: "", beside)
    assert found.variant == variant("pip:thing==1.2,setuptools<81,typing_extensions>=4,<5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Some_Thing<2", "--with Some_Thing<2: some-thing is what is measured"),
        ("two words", "--with two words: no requirement that pip understands"),
    ],
)
def test_what_cannot_be_installed_beside_is_refused(text: str, message: str) -> None:
    """Before any environment is made."""
    ensure_installable(("setuptools<81",), "some-thing")
    with pytest.raises(UserError, match=re.escape(message)):
        ensure_installable((text,), "some-thing")


def test_an_interruption_is_not_kept_waiting() -> None:
    """Ctrl-C while environments are made gets through, and no further one is begun."""
    begun = []

    def make(text: str) -> Variant:
        begun.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_releases(
            "thing", [PublishedRelease(str(index)) for index in range(100)], make, lambda *_: ""
        )
    assert len(begun) < 100


@pytest.mark.parametrize(
    ("module", "content", "reason"),
    [
        ("thing_x.py", "print('hello')", ""),
        ("thing_x.py", "import no_such_module", "ModuleNotFoundError: No module named"),
        ("thing_x.py", "raise SystemExit('not here')", "SystemExit: not here"),
        ("thing_x.py", "import os; os._exit(3)", "exit code 3"),
        ("other.py", "1 / 0", "ZeroDivisionError"),
        ("tests/__init__.py", "1 / 0", ""),
    ],
)
def test_what_does_not_import_says_why(
    tmp_path: Path, module: str, content: str, reason: str
) -> None:
    """The modules of a distribution are tried, its own tests are not."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(tmp_path)
    [site] = tmp_path.glob("lib/python*/site-packages")
    (site / module).parent.mkdir(exist_ok=True)
    (site / module).write_text(content)
    info = site / "thing_x-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing-x\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{module},,\nthing_x-1.0.dist-info/METADATA,,\n")
    said = check_import("thing-x", variant("thing", tmp_path / "bin" / "python"))
    assert reason in said
    assert bool(said) == bool(reason)


def test_an_interpreter_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    """Whatever goes wrong is reported for the release, and the others are measured."""
    assert "importing it failed" in check_import("thing", variant("thing", tmp_path / "python"))


def test_another_python_has_environments_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made for it runs it, and is not that of the interpreter that this runs in."""
    monkeypatch.setenv("RESILIENCE_BENCH_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "thing_y-1.0-py3-none-any.whl"
    _write_wheel(wheel)
    home = tmp_path / "other"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    other = variant("other", home / "bin" / "python")
    text = f"pip:thing-y @ {wheel.as_uri()}"
    under, here = (variants.make(text, (), base=base) for base in (other, None))
    assert under.home != here.home
    assert under.packages == here.packages == {"thing-y": "1.0"}
    reported = subprocess.run(
        [under.python, "-c", "import thing_y; print(thing_y.NAME)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert reported == "y\n"


def _write_wheel(path: Path) -> None:
    import zipfile

    info = "thing_y-1.0.dist-info"
    held = {
        "thing_y.py": "NAME = 'y'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: thing-y\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    names = [*held, f"{info}/RECORD"]
    held[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in names)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in held.items():
            file.writestr(name, content)

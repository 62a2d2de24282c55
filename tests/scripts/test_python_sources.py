"""Where Python's sources come from: the mirror that apt's own sources name, and no other."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from resilience_bench.errors import UserError
from scripts.lib.python_sources import (
    SUITES,
    Mirror,
    check_needed,
    find_mirror,
    read_codename,
    run_apt,
    write_configuration,
)

STANZAS = """\
Types: deb
# an older address: http://old.example/debian
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg
"""


def make_root(folder: Path, **files: str) -> Path:
    """A system of its own, with apt's files by name (``list``, ``sources``)."""
    apt = folder / "etc" / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (folder / "etc" / "os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n'
    )
    if "list" in files:
        (apt / "sources.list").write_text(files["list"])
    if "sources" in files:
        (apt / "sources.list.d" / "debian.sources").write_text(files["sources"])
    return folder


def test_the_mirror_is_that_of_the_running_suite(tmp_path: Path) -> None:
    """Of several stanzas the one with the system's own suite counts, with its keyring."""
    found = find_mirror(make_root(tmp_path, sources=STANZAS))
    assert found == Mirror("http://mirror.example/debian", "/usr/share/keyrings/debian.gpg")
    assert found.make_line("trixie") == (
        "deb-src [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian "
        "trixie main"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://a.example/debian bookworm main", Mirror("http://a.example/debian")),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm contrib main # own",
            Mirror("http://a.example/debian", "/k.gpg"),
        ),
        ("deb   file:/srv/debian  bookworm  main", Mirror("file:/srv/debian")),
    ],
)
def test_lines_of_the_old_format_are_read(tmp_path: Path, line: str, expected: Mirror) -> None:
    """Options, comments and several blanks between the words do not matter."""
    text = f"# deb http://commented.example bookworm main\n\n{line}\n"
    assert find_mirror(make_root(tmp_path, list=text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deb http://a.example/debian trixie main\n",
        "deb http://a.example/debian bookworm contrib\n",
        "deb-src http://a.example/debian bookworm main\n",
        "# deb http://a.example/debian bookworm main\n",
    ],
)
def test_without_a_source_of_the_suite_one_line_says_so(tmp_path: Path, text: str) -> None:
    """It names the folder and the suite, and what to type."""
    root = make_root(tmp_path, list=text)
    with pytest.raises(UserError, match=r"no source of the suite 'bookworm'.*apt-get update") as no:
        find_mirror(root)
    assert "\n" not in str(no.value)
    assert str(root / "etc" / "apt") in str(no.value)


@pytest.mark.parametrize("more", ["Enabled: no\n", "Types: deb-src\n", "Components: contrib\n"])
def test_a_stanza_that_is_off_or_has_no_packages_is_left_out(tmp_path: Path, more: str) -> None:
    """A source that apt itself does not use for packages is no mirror."""
    stanza = f"Types: deb\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n{more}"
    with pytest.raises(UserError, match="no source"):
        find_mirror(make_root(tmp_path, sources=stanza))


def test_a_stanza_with_its_key_inside_has_no_keyring(tmp_path: Path) -> None:
    """The lines of a key are not taken for fields, nor its first line for a file."""
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END-----\n"
    text = f"Types: deb\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n{key}"
    assert find_mirror(make_root(tmp_path, sources=text)) == Mirror("http://a.example")


def test_a_system_that_is_not_debian_is_refused(tmp_path: Path) -> None:
    """Without a suite of its own, one line says what to do instead."""
    file = tmp_path / "os-release"
    file.write_text("NAME=Other\n")
    for path in (file, tmp_path / "missing"):
        with pytest.raises(UserError, match="expected a Debian system"):
            read_codename(path)


def test_the_configuration_leaves_the_systems_lists_alone(tmp_path: Path) -> None:
    """Lists, cache and sources are in the folder; nothing that is not signed is accepted."""
    file = write_configuration(tmp_path, "deb-src http://a.example trixie main")
    text = file.read_text()
    assert f'Dir::State::lists "{tmp_path}/lists";' in text
    assert f'Dir::Etc::sourcelist "{tmp_path}/sources.list";' in text
    assert 'Dir::Etc::sourceparts "-";' in text
    assert 'AllowUnauthenticated "false"' in text
    assert (tmp_path / "sources.list").read_text() == "deb-src http://a.example trixie main\n"
    assert (tmp_path / "lists" / "partial").is_dir()


def test_every_version_has_a_suite() -> None:
    """Suites are named by their code names, which stay what they are when one is released."""
    assert set(SUITES) == {"3.13", "3.14"}
    assert not {"stable", "testing", "unstable"} & set(SUITES.values())


def make_program(folder: Path, name: str, text: str) -> None:
    """Put a program into a folder."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_missing_packages_are_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are known but removed are missing as well; what to type has all of them."""
    make_program(tmp_path / "bin", "apt-get", "exit 0")
    lines = "printf 'gcc installed\\nmake not-installed\\nzlib1g-dev config-files\\n'; exit 1"
    make_program(tmp_path / "bin", "dpkg-query", lines)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError) as missing:
        check_needed(("gcc", "make", "zlib1g-dev", "unheard-of"))
    names = "make zlib1g-dev unheard-of"
    assert str(missing.value) == f"not installed: {names}; type 'apt-get install {names}'"
    check_needed(("gcc",))


def test_without_apt_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems have no source packages of Debian."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="expected a Debian system"):
        check_needed()


def test_the_last_lines_of_apt_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror whose signature does not fit, or that cannot be reached, is one line."""
    words = (
        "echo 'Get:1 lists'; echo 'E: The repository is not signed.' >&2; echo 'W: x' >&2; exit 100"
    )
    make_program(tmp_path / "bin", "apt-get", words)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(UserError, match=r"apt-get update failed; it said: E: The repo.*not signed"):
        run_apt(tmp_path / "apt.conf", tmp_path, "update")

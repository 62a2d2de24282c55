"""Python's source packages of another Debian suite, by an apt configuration of their own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench.errors import UserError

SUITES: Final[Mapping[str, tuple[str, ...]]] = {"3.13": ("trixie",), "3.14": ("forky", "sid")}
"""The Debian suites that have the source package of each minor version, the first one preferred."""
PINNED: Final[Mapping[str, tuple[str, str]]] = {
    "3.14": (
        "3.14.7-1",  # its signature was checked with debian-keyring: Matthias Klose
        "cc0e605221af514ef83d0445ef163c8ef05fcc53b54cf7b71ccedbbd28dbea90",
    )
}
"""Source packages for a mirror that lists newer ones and does not have their files: the version,
and the SHA-256 of the .dsc file, which has those of all others."""
LAYOUT: Final = ("sysconfig-debian-schemes", "distutils-install-layout", "deb-locations")
"""Debian's patches that move the folders of packages: a virtual environment of a free-threaded
Python would find none of its own. They are taken back, the last one first."""
NEEDED: Final = (
    *("dpkg-dev", "gcc", "make", "patch"),
    *("libbz2-dev", "libffi-dev", "liblzma-dev", "libsqlite3-dev", "libssl-dev", "zlib1g-dev"),
)
"""Packages without which Python, or a module that cases need, is not built."""
CONFIGURATION: Final = """\
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Acquire::AllowInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
APT::Sandbox::User "";
"""
POOL: Final = "the mirror's pool"
"""Where a mirror keeps the files of all suites: it stands for a suite in what is printed."""
_CHECKSUM: Final = re.compile(r"^ ([0-9a-f]{64}) \d+ (\S+)$", re.MULTILINE)
_LINE: Final = re.compile(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked source package: its version, e.g. ``3.13.5-2``, and the suite it is of."""

    folder: Path
    version: str
    suite: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """An address that apt's own sources name, and the keyring that they trust for it, if any."""

    address: str
    keyring: str = ""

    def make_line(self, suite: str) -> str:
        """Return the line by which apt finds the source packages of a suite."""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb-src {signed}{self.address} {suite} main"


def find_mirror(root: Path) -> Mirror:
    """Return where this machine gets its own suite from; UserError if apt has no source of it.

    Args:
        root: The folder with the system's ``etc/os-release`` and ``etc/apt``; usually ``/``.
    """
    apt, codename = root / "etc" / "apt", read_codename(root / "etc" / "os-release")
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    parts = sorted((apt / "sources.list.d").glob("*.sources"))
    for file in (*lists, *parts):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            read = _read_stanzas if file.suffix == ".sources" else _read_lines
            for mirror, suites, components in read(text):
                if codename in suites and "main" in components:
                    return mirror
    raise UserError(
        f"{apt}: no source of the suite {codename!r}; expected a line such as "
        f"'deb ADDRESS {codename} main', whose mirror has the newer suites too; add it and run "
        "'apt-get update'"
    )


def _read_lines(text: str) -> Iterator[tuple[Mirror, list[str], list[str]]]:
    """Yield mirror, suites and components of each source in the format of one line each."""
    for line in text.splitlines():
        if found := _LINE.fullmatch(line.partition("#")[0].strip()):
            options, address, suite, components = found.groups("")
            keyring = dict(each.partition("=")[::2] for each in options.split()).get("signed-by")
            yield Mirror(address, keyring or ""), [suite], components.split()


def _read_stanzas(text: str) -> Iterator[tuple[Mirror, list[str], list[str]]]:
    """Yield the same of each source in the format of Debian's control files."""
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {
            name.strip().lower(): value.split()
            for name, colon, value in (line.partition(":") for line in lines)
            if colon
        }
        keyring = fields.get("signed-by", [])
        is_on = fields.get("enabled", ["yes"]) != ["no"]
        if is_on and "deb" in fields.get("types", []) and fields.get("uris"):
            # Without a value, the key itself follows, in lines of its own: apt's other keys hold.
            mirror = Mirror(fields["uris"][0], keyring[0] if keyring else "")
            yield mirror, fields.get("suites", []), fields.get("components", [])


def read_codename(os_release: Path) -> str:
    """Return the suite of the running system; UserError where it is not Debian's."""
    text = os_release.read_text(encoding="utf-8") if os_release.is_file() else ""
    fields = dict(line.partition("=")[::2] for line in shlex.split(text, comments=True))
    if codename := fields.get("VERSION_CODENAME"):
        return codename
    raise UserError(
        f"{os_release}: no VERSION_CODENAME; expected a Debian system, whose source packages are "
        "built; install a free-threaded Python by other means, and name it with 'run --python'"
    )


def check_needed(needed: Sequence[str] = NEEDED) -> None:
    """Raise UserError, in one line, for Debian packages that building needs and are missing."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        raise UserError("found no apt-get; expected a Debian system, whose packages are built")
    form = "${Package} ${db:Status-Status}\n"
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", form, *needed],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith("installed")}
    installed -= {line.split()[0] for line in done.stdout.splitlines() if "not-installed" in line}
    if missing := [name for name in needed if name not in installed]:
        names = " ".join(missing)
        raise UserError(f"not installed: {names}; type 'apt-get install {names}'")


def fetch(version: str, mirror: Mirror, folder: Path) -> Source:
    """Fetch and unpack the source package of a minor version, which apt checks by signature.

    Where a mirror does not have the files that it lists, the next suite is tried, and then the
    package of `PINNED`, which is checked by its digest; UserError with the reasons if it has none.
    """
    errors = []
    for suite in SUITES[version]:
        try:
            return _fetch_from(suite, version, mirror, folder / suite)
        except UserError as error:
            errors.append(f"{suite}: {error}")
    if version in PINNED:
        try:
            return _fetch_pinned(version, mirror, folder / "pool")
        except UserError as error:
            errors.append(f"{POOL}: {error}")
    raise UserError(
        f"Python {version} cannot be fetched from {' and from '.join(errors)}; expected a Debian "
        "mirror that apt trusts and that has the package; type the command again when it has"
    )


def _fetch_from(suite: str, version: str, mirror: Mirror, folder: Path) -> Source:
    configuration = write_configuration(folder, mirror.make_line(suite))
    name = f"python{version}"
    run_apt(configuration, folder, "update", "--quiet")
    run_apt(configuration, folder, "source", "--quiet", "--download-only", name)
    description = next(iter(sorted(folder.glob(f"{name}_*.dsc"))), None)
    if description is None:
        raise UserError(f"apt-get source {name}: expected a file {name}_VERSION.dsc, found none")
    return _unpack(description, suite)


def _fetch_pinned(version: str, mirror: Mirror, folder: Path) -> Source:
    folder.mkdir(parents=True)
    name = f"python{version}"
    release, digest = PINNED[version]
    description = folder / f"{name}_{release}.dsc"
    _download(mirror, folder, [(description.name, digest)])
    text = description.read_text(encoding="utf-8")
    _download(mirror, folder, [(file, own) for own, file in _CHECKSUM.findall(text)])
    return _unpack(description, POOL)


def _download(mirror: Mirror, folder: Path, files: Sequence[tuple[str, str]]) -> None:
    """Download files of a source package, by names and SHA-256, from where mirrors keep them."""
    helper = shutil.which("apt-helper", path=f"{os.environ.get('PATH', '')}:/usr/lib/apt")
    for file, digest in files:
        name = file.partition("_")[0]
        address = f"{mirror.address.rstrip('/')}/pool/main/{name[0]}/{name}/{file}"
        command = [helper or "apt-helper", "download-file", address, file, f"SHA256:{digest}"]
        _run_quietly([*command, "-o", "APT::Sandbox::User="], folder, os.environ)


def _unpack(description: Path, suite: str) -> Source:
    folder = description.parent
    unpacked = folder / "source"
    _run_quietly(["dpkg-source", "--extract", str(description), str(unpacked)], folder, os.environ)
    for patch in LAYOUT:
        file = unpacked / "debian" / "patches" / f"{patch}.diff"
        if file.is_file():
            _run_quietly(["patch", "-R", "-p1", "--batch", "-i", str(file)], unpacked, os.environ)
    found = re.search(r"^Version: (\S+)$", description.read_text(encoding="utf-8"), re.MULTILINE)
    return Source(unpacked, found[1] if found else "unknown", suite)


def write_configuration(folder: Path, line: str) -> Path:
    """Write apt's settings of one source into a folder; the system's own lists stay as they are."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(f"{line}\n", encoding="utf-8")
    file = folder / "apt.conf"
    file.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    return file


def run_apt(configuration: Path, folder: Path, *arguments: str) -> None:
    """Run apt-get under the settings of a file; UserError with its last words if it fails."""
    environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
    _run_quietly(["apt-get", *arguments], folder, environment)


def _run_quietly(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith("E:") and "some archives" not in line]
        said = (reasons or lines or ["nothing"])[-1]
        raise UserError(f"{Path(command[0]).name} {command[1]} failed; it said: {said}")

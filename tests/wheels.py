"""Tiny distributions for tests: wheels, projects and sdists that need no network."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_wheel(  # noqa: PLR0913, PLR0917 - what a wheel is made of
    folder: Path,
    name: str,
    version: str,
    modules: Mapping[str, str],
    requires: Sequence[str] = (),
    tags: str = "py3-none-any",
) -> Path:
    """Write a wheel of a few modules, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    base = name.replace("-", "_")
    path = folder / f"{base}-{version}-{tags}.whl"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    info = f"{base}-{version}.dist-info"
    files = {
        **modules,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, content)
    return path


def write_project(folder: Path, name: str, version: str, module: str) -> Path:
    """Write a project of one module that builds with a backend of its own, from nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "content.txt").write_text(module)
    base = name.replace("-", "_")
    (folder / "backend.py").write_text(
        "import zipfile, pathlib\n"
        f"NAME, BASE, VERSION = {name!r}, {base!r}, {version!r}\n"
        "def build_wheel(directory, settings=None, metadata=None):\n"
        "    info = f'{BASE}-{VERSION}.dist-info'\n"
        "    files = {\n"
        "        f'{BASE}.py': pathlib.Path('content.txt').read_text(),\n"
        "        f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: {NAME}\\n'\n"
        "        f'Version: {VERSION}\\n',\n"
        "        f'{info}/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n'\n"
        "        'Tag: py3-none-any\\n',\n"
        "        f'{info}/RECORD': '',\n"
        "    }\n"
        "    name = f'{BASE}-{VERSION}-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(pathlib.Path(directory) / name, 'w') as archive:\n"
        "        for file, text in files.items():\n"
        "            archive.writestr(file, text)\n"
        "    return name\n"
    )
    return folder


def write_sdist(folder: Path, name: str, version: str, module: str) -> Path:
    """Write an sdist of `write_project`."""
    base = f"{name.replace('-', '_')}-{version}"
    project = write_project(folder / base, name, version, module)
    (project / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    path = folder / f"{base}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(project, base)
    return path

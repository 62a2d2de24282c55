"""Hooks of mkdocs: pages from outside docs/, and links between all of them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
MOVED: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "stack/README.md": "stack-overview.md",
    "monitoring/README.md": "monitoring.md",
}
"""Pages of the repository outside docs/, and where they are in the site."""
REFERENCES: Final = ("resilience_bench", "resilience_stack")
LINK: Final = re.compile(r"(\[[^\]\[]*\])\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
"""A relative link: its words, where it leads to, and the anchor there."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/, the references, and the files that pages link to."""
    for source, place in MOVED.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for package in REFERENCES:
        text = f"# {package}\n\n::: {package}\n"
        files.append(File.generated(config, f"reference/{package}.md", content=text))
    linked = {
        target
        for source in [*MOVED, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
        if (ROOT / source).is_file()
        for _, target, _ in LINK.findall((ROOT / source).read_text(encoding="utf-8"))
        for target in (_resolve(source, target),)
    }
    known = {file.src_uri for file in files}
    for target in sorted(linked):
        place = _place(target)
        if place not in known and (ROOT / target).is_file():
            files.append(File.generated(config, place, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(
    markdown: str,
    page: Page,
    config: MkDocsConfig,  # noqa: ARG001 - mkdocs names its arguments
    files: Files,  # noqa: ARG001 - likewise
) -> str:
    """Let the links of a page lead to where its targets are in the site."""
    here = page.file.src_uri
    source = next((name for name, place in MOVED.items() if place == here), f"docs/{here}")

    def move(link: re.Match[str]) -> str:
        words, target, place = link[1], _resolve(source, link[2]), link[3] or ""
        if not (ROOT / target).exists():
            return link[0]  # code that looks like a link
        if (ROOT / target).is_dir():
            return words.removeprefix("[").removesuffix("]")  # a folder has no page
        return (
            f"{words}({posixpath.relpath(_place(target), posixpath.dirname(here) or '.')}{place})"
        )

    return LINK.sub(move, markdown)


def _resolve(source: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _place(target: str) -> str:
    """Return where a file of the repository is in the site."""
    inside = target.removeprefix("docs/")
    # mkdocs leaves out what begins with a dot.
    return MOVED.get(target) or (inside if inside != target else f"files/{target.lstrip('.')}")

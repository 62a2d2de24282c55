"""Write the reference of the stack: its public classes and functions, from their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import griffe

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "stack" / "src"
PAGE: Final = ROOT / "docs" / "stack" / "reference.md"
HEAD: Final = """\
# Reference of resilience-stack

Every public class and function, from its docstring. `scripts/reference` writes this page; a test
holds it up to date. The [guide](README.md) says how they belong together.
"""


def make_page() -> str:
    """Return the page: the package first, then the modules of the edge and of the integrations."""
    package = griffe.load("resilience_stack", search_paths=[SOURCE], docstring_parser="google")
    parts = [HEAD, *_describe_module(package)]
    for room in ("edge", "integrations"):
        parts += [text for module in _walk(package[room]) for text in _describe_module(module)]
    return "\n".join(parts)


def _walk(module: griffe.Object) -> Iterator[griffe.Object]:
    for name in sorted(module.modules):
        child = module.modules[name]
        yield child
        if not child.exports:  # a package that says what is public has private modules
            yield from _walk(child)


def _describe_module(module: griffe.Object | griffe.Alias) -> Iterator[str]:
    names = [str(name).strip("'\"") for name in module.exports or ()]
    described = [
        text
        for name in sorted(names, key=str.lower)
        for text in _describe(_resolve(module[name]), name, level=3)
    ]
    if described:
        yield f"## {module.path}\n"
        yield _unwrap(module.docstring.value if module.docstring else "")
        yield from described


def _resolve(found: griffe.Object | griffe.Alias) -> griffe.Object | griffe.Alias:
    try:
        return found.final_target if isinstance(found, griffe.Alias) else found
    except griffe.AliasResolutionError as error:  # a name of another library
        return error.alias


def _describe(found: griffe.Object | griffe.Alias, name: str, level: int) -> Iterator[str]:
    if isinstance(found, griffe.Alias):
        yield f"{'#' * level} {name}\n\nThe same as `{found.target_path}`.\n"
    if not isinstance(found, griffe.Class | griffe.Function):
        return
    yield f"{'#' * level} {name}\n"
    if signature := _find_signature(found):
        yield f"```text\n{signature}\n```\n"
    for section in found.docstring.parsed if found.docstring else ():
        yield _describe_section(section)
    if isinstance(found, griffe.Class):
        for member_name, inherited in found.all_members.items():
            member = _resolve(inherited)
            is_special = member_name.startswith("_") and member_name != "__call__"
            if member.is_function and not is_special:
                yield from _describe(member, f"{name}.{member_name}", level + 1)
            elif "property" in member.labels and not is_special and member.docstring:
                yield f"{'#' * (level + 1)} {name}.{member_name}\n"
                yield _unwrap(member.docstring.value)


def _find_signature(found: griffe.Class | griffe.Function) -> str:
    if isinstance(found, griffe.Function):
        return found.signature()
    init = found.members.get("__init__")
    if init is None and (inherited := found.all_members.get("__init__")):
        # One without a docstring is not for users: who makes the object for them is documented.
        init = base if (base := _resolve(inherited)).docstring else None
    if isinstance(init, griffe.Function):
        return init.signature(name=found.name)
    fields = [
        f"{name}: {member.annotation}" + (f" = {member.value}" if member.value is not None else "")
        for name, member in found.attributes.items()
        if not name.startswith("_") and member.annotation and "property" not in member.labels
    ]
    return f"{found.name}({', '.join(fields)})" if fields else ""


def _describe_section(section: griffe.DocstringSection) -> str:
    match section:
        case griffe.DocstringSectionText():
            return _unwrap(section.value)
        case griffe.DocstringSectionParameters() | griffe.DocstringSectionAttributes():
            head = "Arguments" if section.kind.value == "parameters" else "Attributes"
            lines = [f"- `{one.name}`: {_join(one.description)}" for one in section.value]
            return "\n".join([f"{head}:\n", *lines, ""])
        case griffe.DocstringSectionReturns():
            return f"Returns: {' '.join(_join(one.description) for one in section.value)}\n"
        case griffe.DocstringSectionRaises():
            lines = [f"- `{one.annotation}`: {_join(one.description)}" for one in section.value]
            return "\n".join(["Raises:\n", *lines, ""])
    return ""


def _unwrap(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(_join(paragraph).replace("``", "`") for paragraph in paragraphs) + "\n"


def _join(text: str) -> str:
    return " ".join(text.split())


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=PAGE, help="The page to write.")
def main(output: Path) -> None:
    """Write the reference of the stack."""
    output.write_text(make_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

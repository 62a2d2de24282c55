"""List every message of the tool, by room and file: to be read, and reworded, in one go."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "resilience_bench"
PAGE: Final = ROOT / "docs" / "messages.md"
HEAD: Final = """\
# Messages

Every message that a command prints when something cannot be done, and every note on its error
output, by the file of `src/resilience_bench` that words it.
What stands in braces is filled in. `scripts/messages` writes this page; a test holds it up to date.
"""
METHODS: Final = {"BadParameter", "ClickException", "UsageError", "echo", "error", "fail", "refuse"}
"""Functions with a message among their arguments; others are exceptions, by their names."""
WORDS: Final = re.compile(r"[a-z]+ [a-z{]")
WORDING: Final = ("explain_", "describe_")
"""How functions are called that return a message, or a part of one."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Texts = dict[str, list[ast.expr]]


def find_messages(file: Path) -> list[str]:
    """Return the messages of a file, in their order, each once."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = _find_texts(tree.body)
    found: dict[int, list[str]] = {}
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, Function))]:
        texts = constants | _find_texts(ast.walk(scope))
        wording = isinstance(scope, Function) and scope.name.lstrip("_").startswith(WORDING)
        for node in ast.walk(scope):
            match node:
                case ast.Call() if _has_message(node):
                    messages = _find_messages_of(node, texts)
                case ast.Return(value=ast.expr() as value) if wording:
                    messages = _find_last_text([value], texts)
                case _:
                    continue
            if messages:
                found[node.lineno] = messages
    return list(dict.fromkeys(text for line in sorted(found) for text in found[line]))


def _has_message(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name == "echo":
        return any(keyword.arg == "err" for keyword in call.keywords)
    return name in METHODS or name.endswith("Error") or ast.unparse(call.func) == "super().__init__"


def _find_messages_of(call: ast.Call, texts: Texts) -> list[str]:
    if not ast.unparse(call.func).endswith(".refuse"):
        return _find_last_text(call.args, texts)
    key, complaint, *remedy = call.args  # see CheckedFile.refuse
    where = "" if ast.unparse(key) == "''" else "key {key}: "
    typed = _find_last_text(remedy, texts) or ["{remedy}"]
    return [f"{{path}}: {where}{text}; {typed[0]}" for text in _find_last_text([complaint], texts)]


def _find_texts(nodes: Iterable[ast.AST]) -> Texts:
    """The values that each variable is assigned."""
    texts: Texts = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                texts.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                texts.setdefault(name, []).append(value)
    return texts


def _find_last_text(arguments: list[ast.expr], texts: Texts) -> list[str]:
    for argument in reversed(arguments):
        values = [argument]
        if isinstance(argument, ast.Name):
            values = texts.get(argument.id, [])
        messages = [" ".join(_word(value, texts).split()) for value in values]
        if found := [message for message in messages if WORDS.search(message)]:
            return found
    return []


def _word(node: ast.expr, texts: Texts) -> str:
    """A message as people read it, with the names of what is filled in, in braces."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_word(part, texts) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _word(left, texts) + _word(right, texts)
        case ast.FormattedValue(value=ast.Name(id=name)) if name.isupper() and name in texts:
            return _word(texts[name][0], texts)
        case ast.FormattedValue(value=value):
            return f"{{{_name(value)}}}"
    return f"{{{_name(node)}}}"


def _name(node: ast.expr) -> str:
    """The last word of an expression, e.g. "name" of ``case.info.name``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[value]):
            return f"{_name(value)}, …"
        case (
            ast.Call(args=[value])
            | ast.Call(func=value)
            | ast.GeneratorExp(generators=[ast.comprehension(iter=value), *_])
            | ast.Subscript(value=value)
            | ast.Starred(value=value)
            | ast.BoolOp(values=[value, *_])
            | ast.BinOp(left=value)
            | ast.IfExp(body=value)
        ):
            return _name(value)
        case ast.Constant(value=constant):
            return str(constant)
    return "…"


def write_page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    files = sorted(SOURCE.rglob("*.py"), key=lambda file: (file.parent != SOURCE, file))
    for room, members in itertools.groupby(files, lambda file: file.relative_to(SOURCE).parts[:-1]):
        sections = []
        for file in members:
            if messages := find_messages(file):
                listed = "\n".join(messages)
                sections.append(f"`{file.name}`\n\n```text\n{listed}\n```\n")
        if sections:
            parts += [f"## {'/'.join(room) or 'resilience_bench'}\n", *sections]
    return "\n".join(parts)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=PAGE, help="The page to write.")
def main(output: Path) -> None:
    """Write docs/messages.md."""
    output.write_text(write_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

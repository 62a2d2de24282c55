"""The two sides of a comparison: each a variant, under the running Python or another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from resilience_bench.environments import interpreters, variants
from resilience_bench.environments.git import try_git
from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.environments.variants import Notifier, Variant
from resilience_bench.errors import VariantError, format_names


def make_side(
    text: str,
    needed: Sequence[str],
    *,
    project: str,
    python: str | None = None,
    note: Notifier = lambda _: None,
) -> Variant:
    """Make one side, with what the cases ``needed``; VariantError if it cannot be made.

    An environment is taken as it is. An interpreter outside of any gets an environment with the
    packages that the cases need, at the versions that are installed here. ``python`` is the
    interpreter for a side that is none itself.
    """
    own = variants.find_interpreter(text)
    if own and python:
        raise VariantError(
            f"{text} is an interpreter, and {python} another one for the same side; expected one "
            "of them; leave out the option, or type '.' for this checkout"
        )
    if own:
        variant = variants.inspect_interpreter(text, own)
        if variants.is_venv(variant):
            return variant
        found = Interpreter(variant, variants.query_environment(variant))
        prepared = interpreters.prepare(found, needed, note)
        _ensure_complete(prepared)
        return prepared.variant
    base = interpreters.find_interpreter(python) if python else None
    return variants.make(text, needed, project=project, base=base, note=note)


def _ensure_complete(prepared: Interpreter) -> None:
    for name, reason in prepared.lacking.items():
        raise VariantError(
            f"{prepared.variant.text}: {name} does not install under {prepared.name}: {reason}; "
            "expected what the selected cases need; select others, or name an environment that "
            "has it"
        )


def describe_changed_scenarios(texts: Sequence[str], files: Iterable[Path]) -> list[str]:
    """Say which scenario files differ from the revisions that are compared; nothing if none does.

    Args:
        texts: The variants as typed; only those that begin with ``git:`` are looked at.
        files: The scenario files, which both sides take from the checkout.

    Returns:
        One sentence a revision.
    """
    found = []
    for text in texts:
        kind, _, revision = text.partition(":")
        if kind != "git":
            continue
        names = sorted(
            path.name
            for path in set(files)
            if try_git(path.parent, "show", f"{revision}:./{path.name}") != path.read_text("utf-8")
        )
        if names:
            found.append(
                f"{format_names(names)}: not as in {text}; both sides are measured with the "
                "scenario files of the checkout, so what these define is the same on both sides"
            )
    return found

"""The environments of releases: each made once, with everything but the release alike."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resilience_bench.environments.interpreters import Interpreter
from resilience_bench.environments.interpreters import make as make_under
from resilience_bench.environments.pip import extract_last_lines, query_interpreter
from resilience_bench.environments.variants import Notifier, Variant, make
from resilience_bench.errors import VariantError
from resilience_bench.releases.history_file import ReleaseStatus
from resilience_bench.releases.index import PublishedRelease

# Some old releases brought their tests along as a package of its own: those need not import.
IMPORT_PROGRAM: Final = """import sys; sys.path = [each for each in sys.path if each]
import contextlib, importlib, importlib.metadata, json, os
name = os.environ["RESILIENCE_BENCH_PACKAGE"]
files = importlib.metadata.distribution(name).files or ()
parts = [file.parts for file in files if file.suffix in {".py", ".so"} and ".." not in file.parts]
names = {part[0].partition(".")[0] for part in parts}
own = {each for each in names if each.lower() == name.replace("-", "_")}
failed = ""
with contextlib.redirect_stdout(sys.stderr):
    for each in sorted(own or names - {"tests", "test", "docs", "examples"}):
        try: importlib.import_module(each)
        except BaseException as error: failed = type(error).__name__ + ": " + str(error)
print(json.dumps(failed))"""

VariantMaker = Callable[[str], Variant]
"""Finds or makes the environment of a variant such as ``pip:tenacity==8.2.3``."""
ImportCheck = Callable[[Variant], str]
"""Why what a variant holds cannot be measured; nothing if it can."""


@dataclass(frozen=True, slots=True)
class PreparedRelease:
    """A release and its environment, or why there is none."""

    release: PublishedRelease
    variant: Variant | None
    status: ReleaseStatus = "measured"
    reason: str = ""


def prepare_releases(
    package: str,
    releases: Sequence[PublishedRelease],
    make_variant: VariantMaker,
    why_not: ImportCheck,
) -> list[PreparedRelease]:
    """The environments of releases; several are made at a time, for pip mostly waits.

    Args:
        package: Their package.
        releases: Which.
        make_variant: Makes one; what it raises is the reason why a release is not measured.
        why_not: Tells whether a release does not import.
    """

    def one(release: PublishedRelease) -> PreparedRelease:
        try:
            variant = make_variant(f"pip:{package}=={release.version}")
        except VariantError as error:
            return PreparedRelease(
                release, None, "does not install", _extract_pip_error(str(error))
            )
        reason = why_not(variant)
        return PreparedRelease(
            release, variant, "does not import" if reason else "measured", reason
        )

    return list(_map_in_threads(one, releases))


def _map_in_threads(
    one: Callable[[PublishedRelease], PreparedRelease], releases: Sequence[PublishedRelease]
) -> Iterator[PreparedRelease]:
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        yield from pool.map(one, releases)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def create_variant_maker(
    needed: Sequence[str], interpreter: Interpreter | None, note: Notifier
) -> VariantMaker:
    """What makes environments: of this interpreter, or of another one.

    Args:
        needed: The distributions that the cases need, beside the one that is measured.
        interpreter: Another interpreter; None for the one that this runs in.
        note: Is told when an environment has to be made.
    """

    def of(text: str) -> Variant:
        if interpreter:
            return make_under(interpreter, text, needed, note)
        return make(text, needed, root=Path.cwd(), note=note)

    return of


def create_import_check(package: str) -> ImportCheck:
    """What tells why a package does not import in a variant; nothing if it does."""

    def why(variant: Variant) -> str:
        try:
            said = query_interpreter(
                variant.python, IMPORT_PROGRAM, RESILIENCE_BENCH_PACKAGE=package
            )
        except subprocess.CalledProcessError as error:
            return extract_last_lines(error.stderr or f"it ended with exit code {error.returncode}")
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return f"importing it did not end well: {error}"
        return extract_last_lines(str(said))

    return why


def _extract_pip_error(message: str) -> str:
    """What pip said of a variant, without the variant and the advice around it."""
    _, found, said = message.partition("it said: ")
    return said.partition("; expected ")[0] if found else message

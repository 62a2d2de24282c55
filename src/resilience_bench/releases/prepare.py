"""The environments of releases, which differ in nothing but the release."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name

from resilience_bench.environments.pip import extract_last_lines, query_interpreter
from resilience_bench.environments.requirement_files import parse_requirement
from resilience_bench.environments.variants import Variant
from resilience_bench.errors import UserError, VariantError
from resilience_bench.releases.history_file import ReleaseStatus
from resilience_bench.releases.index import PublishedRelease

# Some old releases contain their tests as a package of its own: those need not import.
IMPORT_PROGRAM: Final = """import sys; sys.path = [path for path in sys.path if path]
import contextlib, importlib, importlib.metadata, json, os
name = os.environ["RESILIENCE_BENCH_PACKAGE"]
files = importlib.metadata.distribution(name).files or ()
parts = [file.parts for file in files if file.suffix in {".py", ".so"} and ".." not in file.parts]
names = {part[0].partition(".")[0] for part in parts}
own = {module for module in names if module.lower() == name.replace("-", "_")}
failed = ""
with contextlib.redirect_stdout(sys.stderr):
    for module in sorted(own or names - {"tests", "test", "docs", "examples"}):
        try: importlib.import_module(module)
        except BaseException as error: failed = type(error).__name__ + ": " + str(error)
print(json.dumps(failed))"""


@dataclass(frozen=True, slots=True)
class PreparedRelease:
    """A release and its environment, or why there is none."""

    release: PublishedRelease
    variant: Variant | None
    status: ReleaseStatus = "measured"
    reason: str = ""


def ensure_installable(beside: Sequence[str], package: str) -> None:
    """Raise UserError for what is no requirement, or one of the package that is measured."""
    for text in beside:
        requirement = parse_requirement(
            text, f"--with {text}", "expected one such as 'setuptools<81'; correct it"
        )
        if canonicalize_name(requirement.name) == package:
            raise UserError(
                f"--with {text}: {package} is what is measured; expected another package; type "
                "--from and --to to choose releases"
            )


def prepare_releases(
    package: str,
    releases: Sequence[PublishedRelease],
    make_variant: Callable[[str], Variant],
    check_import: Callable[[str, Variant], str],
    beside: Sequence[str] = (),
) -> list[PreparedRelease]:
    """Make the environments of releases, several at a time: pip mostly waits.

    ``make_variant`` gets a text such as ``pip:tenacity==8.2.3``, followed by the requirements
    ``beside``; the VariantError that it raises is the reason why a release is not measured.
    """

    def prepare(release: PublishedRelease) -> PreparedRelease:
        try:
            requirements = (f"{package}=={release.version}", *beside)
            variant = make_variant(f"pip:{','.join(requirements)}")
        except VariantError as error:
            # Only pip's own words, without the variant and the advice around them.
            before, _, said = str(error).partition("it said: ")
            reason = said.partition("; expected ")[0] if said else before
            return PreparedRelease(release, None, "does not install", reason)
        reason = check_import(package, variant)
        status: ReleaseStatus = "does not import" if reason else "measured"
        return PreparedRelease(release, variant, status, reason)

    # After an interruption `map` begins no further one.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(prepare, releases))


def check_import(package: str, variant: Variant) -> str:
    """Return why a package does not import in a variant; nothing if it does."""
    try:
        reason = query_interpreter(variant.python, IMPORT_PROGRAM, RESILIENCE_BENCH_PACKAGE=package)
    except subprocess.CalledProcessError as error:
        return extract_last_lines(error.stderr or f"it ended with exit code {error.returncode}")
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"importing it failed: {error}"
    return extract_last_lines(str(reason))


def explain_nothing_measured(package: str, prepared: Sequence[PreparedRelease]) -> str:
    """Return why no release can be measured, by the last one."""
    last = prepared[-1]
    return (
        f"{package}: none of {len(prepared)} releases can be measured; {last.release.version} "
        f"{last.status}: {last.reason}; expected one that imports; type another --from and --to, "
        "another --python, or --with what it lacks"
    )

"""What a scenario is: the decorator, its libraries and parameters, discovery and selection.

Imported by scenario files inside the measured interpreter, so: standard library only.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from resilience_bench._model import Case, CaseInfo
from resilience_bench.scenarios.loads import IO, MIXED, NOOP, PAYLOADS, PROCESSES, TASKS, THREADS

RETURNS: Final = "returns"
"""An outcome of the payload: it returns `RESULT`."""
FAILS: Final = "fails"
"""An outcome of the payload: it raises `PayloadError`."""
EMPTY: Final = "empty"
"""An outcome of the payload: it returns None, which a result predicate turns down."""
RESULT: Final = "payload result"
"""What a payload that succeeds returns."""
REJECTION: Final = "rejection"
"""``raises=REJECTION``: the exception that the adapter names as its ``rejection``."""
ANYTHING: Final = "anything"
"""``returns=ANYTHING``: the operation may return what it likes."""


class PayloadError(Exception):
    """What a payload that fails raises."""


class Unsupported(Exception):  # noqa: N818 - it reports a fact about a library, not an error
    """Raised by an adapter that cannot do a scenario; its text is the reason that is shown."""


@dataclass(frozen=True, slots=True)
class Library:
    """One library that a scenario is measured with.

    ``adapters`` are the objects that the scenario gets as its ``library`` argument, one or a
    tuple: either the object itself or the text ``"package.module:Name"``, which is imported (and
    called, when it is a class) only when a case needs it. ``distributions`` are the packages that
    must be installed. ``parameters`` multiply the cases of this library.
    """

    name: str
    adapters: object
    distributions: tuple[str, ...] = ()
    parameters: Mapping[str, Sequence[object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """An operation together with a counter that each call of it must raise by ``step``.

    A scenario may return this in place of the bare operation: the check before timing then
    refuses a metric that does not count and a breaker that does not notice a failure. Under a load
    the tool counts what got lost; not where that is the deal (``is_lossy``, e.g. datagrams).
    """

    operation: Callable[[], Any]
    count: Callable[[], float]
    step: float = 1
    is_lossy: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """An operation of two parts: ``prepare`` opens a breaker and lets its time pass.

    Alone, one after the other is the operation. Under a load one caller prepares, then all callers
    make one call at once, and the tool counts how many of them reach the payload.
    """

    prepare: Callable[[], object]
    operation: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A registered scenario: the function that builds the operation, and what it promises."""

    function: Callable[..., Any]
    libraries: tuple[Library, ...]
    payload_calls: int
    outcomes: tuple[str, ...]
    returns: object
    raises: type[BaseException] | str | None
    arguments: tuple[tuple[object, ...], Mapping[str, object]] | None
    parameters: Mapping[str, Sequence[object]]
    probes: bool = False
    across_processes: bool = False
    in_profile: tuple[str, ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build the operation, as the undecorated function would."""
        return self.function(*args, **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether the operation is a coroutine function: the scenario is ``async def``."""
        function = self.function
        return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)

    @property
    def family(self) -> str:
        """The name of the file that defines the scenario."""
        return self.function.__module__.rpartition(".")[2]

    @property
    def description(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def loads(self) -> tuple[str, ...]:
        """The kinds of load that make sense; none where several callers would mix a script up."""
        if self.probes:
            return () if self.is_async else (THREADS,)
        if len(set(self.outcomes)) > 1:
            return ()
        if self.is_async:
            return (TASKS,)
        return (THREADS, MIXED, *([PROCESSES] if self.across_processes else []))

    @property
    def payloads(self) -> tuple[str, ...]:
        """The payloads that make sense: work only where the payload runs."""
        if self.probes:
            return (IO,)
        return PAYLOADS if self.payload_calls else (NOOP,)

    def bind(self, path: str) -> Iterator[BoundCase]:
        """Every case of this scenario, with its library and the values of its parameters."""
        for library in self.libraries or (None,):
            axes = {**self.parameters, **(library.parameters if library else {})}
            for values in itertools.product(*axes.values()):
                chosen = dict(zip(axes, values, strict=True))
                case = Case(
                    family=self.family,
                    scenario=self.function.__name__,
                    library=library.name if library else "",
                    parameters=tuple((key, str(value)) for key, value in chosen.items()),
                )
                needs = library.distributions if library else ()
                info = CaseInfo(
                    case,
                    path,
                    self.description,
                    needs,
                    loads=self.loads,
                    payloads=self.payloads,
                    in_profile=self.in_profile,
                )
                yield BoundCase(info, self, library, chosen)


@dataclass(frozen=True, slots=True)
class BoundCase:
    """A case together with everything that is needed to build its operation."""

    info: CaseInfo
    scenario: Scenario
    library: Library | None
    parameters: Mapping[str, object]

    @property
    def name(self) -> str:
        """The full name of the case."""
        return self.info.case.name

    @property
    def is_probed_at_once(self) -> bool:
        """Whether all callers are to make one call at once after a breaker was prepared."""
        return self.scenario.probes and self.info.case.is_loaded

    def under(self, load: str, payload: str) -> BoundCase:
        """The same case under another load, around another payload."""
        info = replace(self.info, case=self.info.case.under(load, payload))
        return replace(self, info=info)


def scenario(  # noqa: PLR0913 - the whole definition of a benchmark stands in one place
    function: Callable[..., Any] | None = None,
    *,
    library: Sequence[Library] | Mapping[str, object] = (),
    payload_calls: int | None = None,
    outcomes: Sequence[str] = (RETURNS,),
    returns: object = None,
    raises: type[BaseException] | str | None = None,
    arguments: tuple[Sequence[object], Mapping[str, object]] | None = None,
    parameters: Mapping[str, Sequence[object]] | None = None,
    probes: bool = False,
    across_processes: bool = False,
    in_profile: Sequence[str] = (),
) -> Any:
    """Register a function that builds an operation as a scenario.

    The function may take ``library`` (the adapter), ``payload`` (the work inside the guard) and
    the names in ``parameters``; it returns the operation, a zero-argument callable, or yields it
    and tidies up afterwards. An ``async def`` function builds a coroutine function.

    Args:
        function: The decorated function, when the decorator is used without arguments.
        library: The libraries to measure with: `Library` objects, or names mapped to adapters.
        payload_calls: How often one operation runs the payload; ``len(outcomes)`` by default.
        outcomes: What the payload does, call by call, in a cycle: RETURNS, FAILS or EMPTY.
        returns: What the operation must return: by default `RESULT` where the payload runs,
            else `ANYTHING`.
        raises: What the operation must raise instead: an exception type or `REJECTION`.
        arguments: Positional and keyword arguments that the payload is to be called with.
        parameters: Names mapped to values; one case for every combination.
        probes: Whether the function returns a `Probed`.
        across_processes: Whether processes that were forked off share what the operation changes.
        in_profile: The kinds of load, or single loads, of ``--profile concurrency``.

    Raises:
        TypeError: If the definition contradicts itself; the text names the scenario and the rule.
    """

    def register(builder: Callable[..., Any]) -> Scenario:
        calls = len(outcomes) if payload_calls is None else payload_calls
        expected = RESULT if calls else ANYTHING
        registered = Scenario(
            function=builder,
            libraries=_libraries(library),
            payload_calls=calls,
            outcomes=tuple(outcomes),
            returns=expected if returns is None else returns,
            raises=raises,
            arguments=(tuple(arguments[0]), dict(arguments[1])) if arguments else None,
            parameters=dict(parameters or {}),
            probes=probes,
            across_processes=across_processes,
            in_profile=tuple(in_profile),
        )
        _refuse_contradictions(registered)
        return registered

    return register if function is None else register(function)


def _libraries(given: Sequence[Library] | Mapping[str, object]) -> tuple[Library, ...]:
    if isinstance(given, Mapping):
        return tuple(Library(name, adapter) for name, adapter in given.items())
    return tuple(given)


def _refuse_contradictions(registered: Scenario) -> None:
    where = f"scenario {registered.function.__qualname__}"
    wanted = set(inspect.signature(registered.function).parameters)
    offered = {"library", "payload", *registered.parameters}
    for library in registered.libraries:
        offered |= set(library.parameters)
    if "library" in wanted and not registered.libraries:
        message = f"{where} takes 'library', but @scenario(library=...) names none"
        raise TypeError(message)
    if unknown := wanted - offered:
        message = (
            f"{where} takes {', '.join(sorted(unknown))}; a scenario may take 'library', "
            "'payload' and the names in @scenario(parameters=...)"
        )
        raise TypeError(message)
    if registered.payload_calls < 0:
        message = f"{where}: payload_calls is {registered.payload_calls}, expected 0 or more"
        raise TypeError(message)
    if not registered.outcomes or set(registered.outcomes) - {RETURNS, FAILS, EMPTY}:
        message = f"{where}: outcomes are {registered.outcomes!r}, expected RETURNS, FAILS, EMPTY"
        raise TypeError(message)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A scenario file that could not be used."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """As ``path:line: message``, which editors and terminals link."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the scenario files hold: scenarios by case name, and the files that did not import."""

    bound: dict[str, BoundCase]
    problems: tuple[FileProblem, ...]

    @property
    def cases(self) -> list[CaseInfo]:
        """The cases in the order of their definition."""
        return [one.info for one in self.bound.values()]


def discover(paths: Iterable[Path]) -> Discovery:
    """Import scenario files (or those below a folder) and list their cases.

    A file that does not import becomes a `FileProblem`; the others go on.
    """
    found: dict[str, BoundCase] = {}
    problems: list[FileProblem] = []
    files = itertools.chain.from_iterable(map(scenario_files, paths))
    for path in dict.fromkeys(file.resolve() for file in files):
        try:
            module = import_file(path)
            bound = [case for one in _scenarios_in(module) for case in one.bind(str(path))]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file may raise anything
            problems.append(_problem(path, error))
            continue
        if taken := next((case for case in bound if case.name in found), None):
            other = found[taken.name].info.path
            message = f"{taken.name} is also defined by {other}; rename one of the files"
            problems.append(FileProblem(str(path), 1, message))
            continue
        found.update((case.name, case) for case in bound)
    return Discovery(found, tuple(problems))


def scenario_files(path: Path) -> list[Path]:
    """The files to import for a path: itself, or those below it that use the decorator."""
    if not path.is_dir():
        return [path]
    below = (
        file
        for file in sorted(path.rglob("*.py"))
        if not any(part.startswith((".", "__pycache__")) for part in file.relative_to(path).parts)
        and "site-packages" not in file.parts
    )
    return [file for file in below if _uses_decorator(file)]


def _uses_decorator(file: Path) -> bool:
    source = file.read_text(encoding="utf-8", errors="replace")
    return re.search(r"^\s*@(\w+\.)*scenario\b", source, flags=re.MULTILINE) is not None


def import_file(path: Path) -> ModuleType:
    """Import a file under its package's name, or under its own when it is in no package."""
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    return _import_alone(path)


def _import_alone(path: Path) -> ModuleType:
    # A private package name keeps a user's "breaker.py" or "json.py" from taking another's place.
    name = f"_scenario_files.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        message = f"not a Python file; expected a name that ends in .py, found {path.name!r}"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _scenarios_in(module: ModuleType) -> list[Scenario]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Scenario) and value.function.__module__ == module.__name__
    ]


def _problem(path: Path, error: BaseException) -> FileProblem:
    message = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return FileProblem(str(path), error.lineno or 1, message)
    inside = [
        frame.lineno or 1
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return FileProblem(str(path), inside[-1] if inside else 1, message)


def matches(pattern: str, case: Case) -> bool:
    """Whether a pattern selects a case.

    Only ``*`` and ``?`` are special; brackets stand for themselves. A pattern may give the full
    name, the name without brackets, or the family.
    """
    return matches_name(pattern, case.name)


def matches_name(pattern: str, name: str) -> bool:
    """Whether a pattern selects the case of this full name; see `matches`."""
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(character) or re.escape(character) for character in pattern)
    compiled = re.compile(expression, flags=re.DOTALL)
    group = name.partition("[")[0]
    return any(compiled.fullmatch(each) for each in (name, group, group.partition(".")[0]))

"""Scenarios: the decorator, libraries and parameters; standard library only, as in workers."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from resilience_bench._model import Case, CaseInfo
from resilience_bench.scenarios.loads import IO, MIXED, NOOP, PAYLOADS, PROCESSES, TASKS, THREADS
from resilience_bench.scenarios.payload_definition import (
    Payload,
    Payloads,
    ServerAddress,
    find_server_problem,
)

RETURNS: Final = "returns"
"""An outcome of the payload: it returns `RESULT`."""
FAILS: Final = "fails"
"""An outcome of the payload: it raises `PayloadError`."""
EMPTY: Final = "empty"
"""An outcome of the payload: it returns None, which a result predicate rejects."""
RESULT: Final = "payload result"
"""The result of a payload that succeeds."""
REJECTION: Final = "rejection"
"""``raises=REJECTION``: the exception that the adapter names as its ``rejection``."""
ANYTHING: Final = "anything"
"""``returns=ANYTHING``: the operation may return anything."""


class PayloadError(Exception):
    """The exception of a payload that fails."""


class Unsupported(Exception):  # noqa: N818 - it reports a fact about a library, not an error
    """An adapter cannot do a scenario; the text is the reason that is shown."""


@dataclass(frozen=True, slots=True)
class Library:
    """One library that a scenario is measured with.

    ``adapters`` is the ``library`` argument of the scenario, one or a tuple: the object itself or
    ``"package.module:Name"``, which is imported (and called if it is a class) when a case needs it.
    ``distributions`` must be installed; ``parameters`` multiply the cases of this library.
    """

    name: str
    adapters: object
    distributions: tuple[str, ...] = ()
    parameters: Mapping[str, Sequence[object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """An operation together with a counter that each call of it must raise by ``step``.

    Before timing, one that does not count is refused. Under a load lost counts are reported,
    unless the counter ``is_lossy`` by design (e.g. datagrams).
    """

    operation: Callable[[], Any]
    count: Callable[[], float]
    step: float = 1
    is_lossy: bool = False


@dataclass(frozen=True, slots=True)
class Probed:
    """An operation of two parts: ``prepare`` opens a breaker and lets its recovery time pass.

    Alone, both are called in a row. Under a load one caller prepares, then all call once at the
    same time, and the tool counts how many of them reach the payload.
    """

    prepare: Callable[[], object]
    operation: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A registered scenario: the function that builds the operation, and its promises."""

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
    by_default: bool = True
    server: str = ""

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
        """The kinds of load that make sense; none if several callers would mix up the outcomes."""
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

    @property
    def takes_real_payloads(self) -> bool:
        """Whether real work can be put inside: it succeeds, and the operation returns its value."""
        return (
            self.payload_calls > 0
            and set(self.outcomes) == {RETURNS}
            and isinstance(self.returns, str)
            and self.returns in {RESULT, ANYTHING}
            and self.raises is None
            and self.arguments is None
            and not self.probes
        )

    def bind(self, path: str, payloads: Payloads | None = None) -> Iterator[BoundCase]:
        """Yield every case of this scenario, with its library and the values of its parameters.

        ``payloads`` are those that do real work; the case can have those that fit it.
        """
        real = {
            name: payload
            for (name, is_async), payload in (payloads or {}).items()
            if self.takes_real_payloads and is_async == self.is_async
        }
        needs = tuple(payload.needs for payload in real.values())
        for library in self.libraries or (None,):
            axes = {**self.parameters, **(library.parameters if library else {})}
            for values in itertools.product(*axes.values()):
                chosen = dict(zip(axes, values, strict=True))
                parameters = tuple((key, str(value)) for key, value in chosen.items())
                name = library.name if library else ""
                info = CaseInfo(
                    Case(self.family, self.function.__name__, name, parameters),
                    path,
                    self.description,
                    library.distributions if library else (),
                    self.loads,
                    (*self.payloads, *real),
                    self.in_profile,
                    self.by_default,
                    needs,
                    self.server,
                )
                yield BoundCase(info, self, library, chosen, real)


@dataclass(frozen=True, slots=True)
class BoundCase:
    """A case with everything that is needed to build its operation.

    ``real_payloads`` are those that it can have, by name. ``work`` is that of its own one once it
    was opened, and ``answer`` what a bare call of it returns; ``server`` is where its scenario's
    server listens.
    """

    info: CaseInfo
    scenario: Scenario
    library: Library | None
    parameters: Mapping[str, object]
    real_payloads: Mapping[str, Payload] = field(default_factory=dict)
    work: Callable[[], Any] | None = None
    answer: object = None
    server: ServerAddress | None = None

    @property
    def name(self) -> str:
        """See `Case.name`."""
        return self.info.case.name

    @property
    def is_probed_at_once(self) -> bool:
        """Whether all callers call once at the same time after a breaker was prepared."""
        return self.scenario.probes and self.info.case.is_loaded

    @property
    def real_payload(self) -> Payload | None:
        """The payload of this case if it does real work."""
        return self.real_payloads.get(self.info.case.payload)

    @property
    def returns(self) -> object:
        """What one operation must return."""
        promised = self.scenario.returns
        return promised if self.work is None or promised is ANYTHING else self.answer

    def with_load(self, load: str, payload: str) -> BoundCase:
        """Return the same case under another load, around another payload."""
        info = replace(self.info, case=self.info.case.with_load(load, payload))
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
    by_default: bool = True,
    server: str = "",
) -> Any:
    """Register a function that builds an operation as a scenario.

    The function may take ``library`` (the adapter), ``payload`` (the work inside the guard),
    ``server`` (a `ServerAddress`) and the names in ``parameters``; it returns the operation, a
    zero-argument callable, or yields it and tidies up afterwards. An ``async def`` function
    builds a coroutine function.

    Args:
        function: The decorated function, if the decorator is used without arguments.
        library: The libraries to measure with: `Library` objects, or names mapped to adapters.
        payload_calls: How often one operation runs the payload; ``len(outcomes)`` by default.
        outcomes: What the payload does, call by call, in a cycle: RETURNS, FAILS or EMPTY.
        returns: What the operation must return; default: `RESULT` if the payload runs, `ANYTHING`.
        raises: What the operation must raise instead: an exception type or `REJECTION`.
        arguments: Positional and keyword arguments that the payload is to be called with.
        parameters: Names mapped to values; one case for every combination.
        probes: Whether the function returns a `Probed`.
        across_processes: Whether forked processes share what the operation changes.
        in_profile: The kinds of load, or single loads, of ``--profile concurrency``.
        by_default: Whether it is measured when no pattern and no path is given.
        server: A server that the operation itself calls, which the suite starts once a run.

    Raises:
        TypeError: If the definition contradicts itself.
    """

    def register(builder: Callable[..., Any]) -> Scenario:
        calls = len(outcomes) if payload_calls is None else payload_calls
        expected = RESULT if calls else ANYTHING
        registered = Scenario(
            function=builder,
            libraries=tuple(
                itertools.starmap(Library, library.items())
                if isinstance(library, Mapping)
                else library
            ),
            payload_calls=calls,
            outcomes=tuple(outcomes),
            returns=expected if returns is None else returns,
            raises=raises,
            arguments=(tuple(arguments[0]), dict(arguments[1])) if arguments else None,
            parameters=dict(parameters or {}),
            probes=probes,
            across_processes=across_processes,
            in_profile=tuple(in_profile),
            by_default=by_default,
            server=server,
        )
        if contradiction := _find_contradiction(registered):
            raise TypeError(f"scenario {builder.__qualname__}{contradiction}")
        return registered

    return register if function is None else register(function)


def _find_contradiction(registered: Scenario) -> str:
    wanted = set(inspect.signature(registered.function).parameters)
    offered = {"library", "payload", "server", *registered.parameters}
    for library in registered.libraries:
        offered |= set(library.parameters)
    if "library" in wanted and not registered.libraries:
        return " takes 'library', but @scenario(library=...) names none"
    if problem := find_server_problem(registered.server, "scenario", takes="server" in wanted):
        return problem
    if unknown := wanted - offered:
        return (
            f" takes {', '.join(sorted(unknown))}; a scenario may take 'library', "
            "'payload', 'server' and the names in @scenario(parameters=...)"
        )
    if registered.payload_calls < 0:
        return f": payload_calls is {registered.payload_calls}, expected 0 or more"
    if not registered.outcomes or set(registered.outcomes) - {RETURNS, FAILS, EMPTY}:
        return f": outcomes are {registered.outcomes!r}, expected RETURNS, FAILS, EMPTY"
    return ""

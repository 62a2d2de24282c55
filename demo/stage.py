"""All that the demo and the drill start, and end: dependencies, the service, Prometheus."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from demo import prices, prometheus
from demo.dependencies import Dependency, LockedFile, ServedDependency, make_killable
from demo.errors import DemoError
from demo.prometheus import PrometheusClient
from demo.rules import read_rules
from demo.service.settings import FILE, Settings
from demo.service.tables import create_shop
from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers import folder, keeper, postgres, redis
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.kept_server import KeptServer, ServerFailedError
from resilience_bench.servers.open_servers import start_server
from resilience_bench.servers.recipe import (
    HOST,
    ProgramMissingError,
    Recipe,
    ask,
    choose_folder,
    choose_port,
)

ROOT: Final = Path(__file__).resolve().parents[1]
SHOWN_WITH: Final = {
    "redis": "a cache whose failures are misses",
    "postgresql": "a database server that can be slow, refuse, freeze and be killed",
    "prometheus": "alerts that fire and resolve",
}
"""What the demo shows only with these programs."""
SERVICE: Final = "the service"
PROMETHEUS: Final = "Prometheus"
SWITCH_S: Final = 0.0005
"""The proxies are threads of this process: they must not wait long while the load computes."""
UP: Final = "Application startup complete."
"""What a worker logs when it serves."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What is started.

    Attributes:
        workers: How many processes serve.
        without: Programs that are not used although they are installed, see `SHOWN_WITH`.
        rules: The folder of the rules.
        speed: The factor by which the times of the rules are shorter.
        spans_folder: If set, requests are logged and traced, see `Settings`.
        needs_all: Whether nothing is started unless all programs are there.
    """

    workers: int = 3
    without: frozenset[str] = frozenset()
    rules: Path = ROOT / "monitoring"
    speed: float = 60.0
    spans_folder: str = ""
    needs_all: bool = False


class Stage:
    """The running demo, without its load and its page; a context manager that ends all of it.

    Attributes:
        dependencies: What the service calls, by the names of the guards.
        missing: The programs that are not there or not used, with what is not shown for it.
        service_url: Where the service is.
        prometheus: The client of Prometheus, if there is one.
    """

    def __init__(self, options: StageOptions, say: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            options: What is started.
            say: Gets a word about each thing before it is started.
        """
        self.dependencies: dict[str, Dependency] = {}
        self.missing: dict[str, str] = {}
        self.service_url = ""
        self.prometheus: PrometheusClient | None = None
        self._service: KeptServer | None = None
        self._kept: dict[str, KeptServer] = {}
        self._options, self._say = options, say
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            DemoError: If something does not start; what was started is ended.
        """
        sys.setswitchinterval(SWITCH_S)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        """End everything."""
        self._stack.close()

    def end_service(self) -> None:
        """Ask the service to end, and wait until it has."""
        if self._service is not None:
            self._service.close()

    def explain_ends(self) -> dict[str, str]:
        """Return what ended without a button, by its title, with what to do."""
        ends = {
            title: f"{title} is gone: {end}; end the demo and start it again"
            for title, kept in self._kept.items()
            if (end := kept.explain_end())
        }
        for dependency in self.dependencies.values():
            if end := dependency.explain_end():
                title = dependency.title
                ends[title] = f"{title} is gone: {end}; press heal"
        return ends

    @property
    def log(self) -> Path:
        """The file of the service's log, while it runs."""
        assert self._service is not None
        return Path(self._service.address.folder) / keeper.LOG

    def _start(self) -> None:
        checks = {
            "redis": redis.check_programs,
            "postgresql": postgres.check_programs,
            "prometheus": prometheus.check_programs,
        }
        found = {name for name, check in checks.items() if self._find_program(name, check)}
        options = self._options
        rules = read_rules(options.rules, options.speed) if "prometheus" in found else {}
        served = self._add("prices", "price service", _prepare_prices)
        prices_url = f"http://{HOST}:{served.port}"
        cache_url = ""
        if "redis" in found:
            cache = self._add("cache", "Redis", lambda: make_killable(redis.prepare()))
            cache_url = f"redis://{HOST}:{cache.port}/0"
        settings = Settings(
            port=0,
            workers=options.workers,
            database_url=self._start_database(has_server="postgresql" in found),
            prices_url=prices_url,
            cache_url=cache_url,
            spans_folder=options.spans_folder,
        )
        self._say(f"starting the service with {settings.workers} workers")
        self._service = self._keep(SERVICE, functools.partial(_prepare_service, settings))
        self.service_url = f"http://{HOST}:{self._service.address.port}"
        if "prometheus" in found:
            self._start_prometheus(self._service.address.port, rules)

    def _start_prometheus(self, service_port: int, rules: dict[str, str]) -> None:
        self._say("starting Prometheus")
        hint = "" if self._options.needs_all else "; type: scripts/demo --without prometheus"
        prepare = functools.partial(prometheus.prepare, service_port, rules)
        kept = self._keep(PROMETHEUS, prepare, hint)
        self.prometheus = PrometheusClient(kept.address.port)
        self._stack.callback(self.prometheus.close)

    def _find_program(self, name: str, check: Callable[[], None]) -> bool:
        """Say whether a program is used; if not, note what is missing for it.

        Raises:
            DemoError: If it is needed.
        """
        reason = ""
        if name in self._options.without:
            reason = f"not used (--without {name})"
        else:
            try:
                check()
            except ProgramMissingError as error:
                if self._options.needs_all:
                    raise DemoError(str(error)) from error
                reason = str(error)
        if reason:
            self.missing[name] = f"{reason}; with it: {SHOWN_WITH[name]}"
        return not reason

    def _add(
        self,
        name: str,
        title: str,
        prepare: Callable[[], Recipe],
        fill: Callable[[ServerAddress], None] = lambda _address: None,
    ) -> ServedDependency:
        self._say(f"starting {title}")
        try:
            made = ServedDependency(name, title, prepare, fill)
        except ServerFailedError as error:
            raise DemoError(f"{title} {error}") from error
        self._stack.callback(made.close)
        self.dependencies[name] = made
        return made

    def _keep(self, title: str, prepare: Callable[[], Recipe], hint: str = "") -> KeptServer:
        try:
            kept = start_server(prepare)
        except ServerFailedError as error:
            raise DemoError(f"{title} {error}{hint}") from error
        self._stack.callback(kept.close)
        self._kept[title] = kept
        return kept

    def _start_database(self, *, has_server: bool) -> str:
        """Start PostgreSQL, or make a file of SQLite; return the URL for the service."""
        if not has_server:
            kept = self._keep("a temporary folder", folder.prepare)
            path = Path(kept.address.folder) / "shop.db"
            create_shop(f"sqlite:///{path}")
            made = LockedFile("database", path)
            self._stack.callback(made.close)
            self.dependencies["database"] = made
            return f"sqlite+aiosqlite:///{path}"
        password = secrets.token_hex(16)
        server = self._add(
            "database",
            "PostgreSQL",
            lambda: _set_password(postgres.prepare(), password),
            lambda address: create_shop(_make_postgresql_url(address, address.port)),
        )
        address = ServerAddress("", HOST, server.port, postgres.USER, password)
        return _make_postgresql_url(address, server.port)


def _make_postgresql_url(address: ServerAddress, port: int) -> str:
    user = f"{address.user}:{address.password}"
    return f"postgresql+psycopg://{user}@{HOST}:{port}/postgres"


def _set_password(recipe: Recipe, password: str) -> Recipe:
    """Return the recipe with a password that another server has had: one that replaces it."""
    plan = dataclasses.replace(recipe.plan, files={"password": password})
    address = dataclasses.replace(recipe.address, password=password)
    return dataclasses.replace(recipe, plan=plan, address=address)


def _prepare_prices() -> Recipe:
    place, port = choose_folder("prices"), choose_port()
    command = (sys.executable, "-I", str(Path(prices.__file__)), HOST, str(port))
    recipe = Recipe(
        KeepingPlan(place, (command,)),
        ServerAddress(place, HOST, port),
        lambda: ask(port, b"GET /prices/1 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"),
    )
    return make_killable(recipe)


def _prepare_service(settings: Settings) -> Recipe:
    place, port = choose_folder("shop"), choose_port()
    settings = dataclasses.replace(settings, port=port)
    # What env sets is seen by the workers too, which are new interpreters.
    command = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "demo.service")
    log = Path(place) / keeper.LOG

    def is_ready() -> bool:
        return log.exists() and log.read_text("utf-8").count(UP) >= settings.workers

    return Recipe(
        KeepingPlan(place, (command,), files={FILE: settings.to_json()}),
        ServerAddress(place, HOST, port),
        is_ready,
    )

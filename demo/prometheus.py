"""A Prometheus that scrapes the service, with the rules of monitoring/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import httpx
import yaml

from resilience_bench.scenarios.payload_definition import ServerAddress
from resilience_bench.servers.keeper import KeepingPlan
from resilience_bench.servers.recipe import (
    HOST,
    Recipe,
    ask,
    choose_folder,
    choose_port,
    find_program,
)

JOB: Final = "shop"
SCRAPE_S: Final = 1
EVALUATION_MS: Final = 250
CONFIGURATION: Final = "prometheus.yml"
LOOK_BACK: Final = "1h"
"""Samples of this time are read: all that a demo or a drill has."""
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of Prometheus: its labels, and its samples, each with seconds since 1970."""

    labels: Labels
    samples: tuple[tuple[float, float], ...]


def check_programs() -> None:
    """Raise ProgramMissingError unless Prometheus is installed."""
    _find_server()


def prepare(service_port: int, rules: dict[str, str]) -> Recipe:
    """Prepare a Prometheus.

    Args:
        service_port: Whom it scrapes.
        rules: The texts of the rule files, by name.
    """
    folder, port = choose_folder("prometheus"), choose_port()
    configuration = {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": f"{EVALUATION_MS}ms",
        },
        "rule_files": list(rules),
        "scrape_configs": [
            {"job_name": JOB, "static_configs": [{"targets": [f"{HOST}:{service_port}"]}]}
        ],
    }
    command = (
        _find_server(),
        f"--config.file={CONFIGURATION}",
        f"--web.listen-address={HOST}:{port}",
        "--storage.tsdb.path=data",
        "--log.level=warn",
    )
    files = {CONFIGURATION: yaml.safe_dump(configuration), **rules}
    return Recipe(
        KeepingPlan(folder, (command,), files=files),
        ServerAddress(folder, HOST, port),
        lambda: ask(port, b"GET /-/ready HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200"),
    )


def _find_server() -> str:
    return find_program("prometheus", "Prometheus", "prometheus")


class PrometheusClient:
    """Asks a Prometheus.

    Attributes:
        url: Where it is.
    """

    def __init__(self, port: int) -> None:
        """Ask the one on this port."""
        self.url = f"http://{HOST}:{port}"
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """Return the value of an expression now, by labels."""
        return [(result["metric"], float(result["value"][1])) for result in self._ask(expression)]

    def read_samples(self, selector: str) -> list[Series]:
        """Return the raw samples of a series selector, with the times when they were taken."""
        return [
            Series(
                result["metric"],
                tuple((float(at_s), float(value)) for at_s, value in result["values"]),
            )
            for result in self._ask(f"{selector}[{LOOK_BACK}]")
        ]

    def list_alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing, as Prometheus's API has them."""
        response = self._client.get("/api/v1/alerts")
        response.raise_for_status()
        alerts: list[dict[str, Any]] = response.json()["data"]["alerts"]
        return alerts

    def read_waits(self) -> dict[str, float]:
        """Return the ``for`` of each alert, in seconds."""
        response = self._client.get("/api/v1/rules", params={"type": "alert"})
        response.raise_for_status()
        groups = response.json()["data"]["groups"]
        return {
            rule["name"]: float(rule["duration"]) for group in groups for rule in group["rules"]
        }

    def _ask(self, expression: str) -> list[dict[str, Any]]:
        response = self._client.get("/api/v1/query", params={"query": expression})
        response.raise_for_status()
        results: list[dict[str, Any]] = response.json()["data"]["result"]
        return results

"""Write promtool's tests of ten outages and of a healthy day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import yaml
from rule_outages import OUTAGES, Outage
from rule_series import STEP_S, make_series

FOLDER: Final = Path(__file__).resolve().parents[2] / "monitoring" / "tests"
RULES: Final = ["../alerts/*.yml", "../recording/*.yml"]
FIRED: Final = 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[%dm]))'
DAY_MIN: Final = 24 * 60
SEED: Final = 20151121
HEAD: Final = "# scripts/rule-tests writes this file. promtool test rules %s\n"


def make_outages() -> dict[str, Any]:
    """Return the tests of the outages: each fires what belongs to it, nothing else, and ends."""
    return {
        "rule_files": RULES,
        "evaluation_interval": f"{STEP_S}s",
        "tests": [_make_outage(outage) for outage in OUTAGES],
    }


def _make_outage(outage: Outage) -> dict[str, Any]:
    minutes = sum(phase.minutes for phase in outage.phases)
    before = outage.phases[0].minutes
    fired = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(outage.alerts)]
    name = f"{outage.name} ({outage.source})" if outage.source else outage.name
    return {
        "name": name,
        "interval": f"{STEP_S}s",
        "input_series": make_series(outage.phases, outage.guard),
        "promql_expr_test": [
            {"eval_time": f"{before - 1}m", "expr": "ALERTS", "exp_samples": []},
            {
                "eval_time": f"{minutes - 1}m",
                "expr": FIRED % minutes,
                "exp_samples": fired,
            },
            {
                "eval_time": f"{minutes - 1}m",
                "expr": 'ALERTS{alertstate="firing"}',
                "exp_samples": [],
            },
        ],
    }


class HealthyGuard:
    """Traffic of one guard over a day: by the hour of the day, and with noise each minute.

    Two releases start the counters again. A few bad minutes an hour have ten times the usual
    failures and slow calls; once the breaker opens for less than a minute.
    """

    def __init__(self, guard: str, instance: str, calls_per_minute: float) -> None:
        self._labels = f'job="shop", instance="{instance}", guard="{guard}"'
        self._calls = calls_per_minute
        self._random = random.Random(f"{SEED} {guard} {instance}")  # noqa: S311 - noise, no secret
        self._counts = dict.fromkeys(
            ("success", "failure", "rejected", "retries", "stale", "fast", "late_failures"), 0
        )

    def make_series(self) -> list[dict[str, str]]:
        """Return the series, a value a minute."""
        columns: dict[str, list[int]] = {name: [] for name in self._counts}
        gauges: dict[str, list[int]] = {"state": [], "in_flight": []}
        for minute in range(DAY_MIN):
            if minute in {9 * 60, 16 * 60}:
                self._counts = dict.fromkeys(self._counts, 0)
            self._add_minute(minute)
            for name, value in self._counts.items():
                columns[name].append(value)
            gauges["state"].append(2 if minute == 3 * 60 else 0)
            gauges["in_flight"].append(min(self._draw(self._calls / 60), 20))
        return [
            {"series": f"{metric}{{{self._labels}{labels}}}", "values": " ".join(map(str, values))}
            for metric, labels, values in self._name({**columns, **gauges})
        ]

    def _add_minute(self, minute: int) -> None:
        hours_from_peak = 12 - abs((minute / 60 - 14) % 24 - 12)  # the peak is at 14:00
        busy = 1 - 0.7 * hours_from_peak / 12
        is_bad = self._random.random() < 3 / 60
        calls = self._draw(self._calls * busy)
        failures = min(self._draw(calls * (0.06 if is_bad else 0.006)), calls)
        late = min(self._draw(calls * (0.02 if is_bad else 0.002)), calls)
        late_failures = min(failures, late // 2)
        rejected = self._draw(calls * 0.3) if minute == 3 * 60 else 0
        for name, added in (
            ("success", calls - failures),
            ("failure", failures),
            ("rejected", rejected),
            ("retries", self._draw(failures * 1.5)),
            ("stale", self._draw(calls * 0.001)),
            ("fast", calls - failures - (late - late_failures)),
            ("late_failures", failures - late_failures),
        ):
            self._counts[name] += max(added, 0)

    def _draw(self, expected: float) -> int:
        """Return a count around what is expected, as independent events have it."""
        return max(round(self._random.gauss(expected, expected**0.5)), 0)

    @staticmethod
    def _name(columns: dict[str, list[int]]) -> Iterator[tuple[str, str, list[int]]]:
        seconds = "resilience_call_seconds"
        for outcome in ("success", "failure", "rejected"):
            yield "resilience_calls_total", f', outcome="{outcome}"', columns[outcome]
        for outcome, fast in (("success", "fast"), ("failure", "late_failures")):
            yield f"{seconds}_bucket", f', outcome="{outcome}", le="0.5"', columns[fast]
            yield f"{seconds}_count", f', outcome="{outcome}"', columns[outcome]
        yield "resilience_retries_total", "", columns["retries"]
        yield "resilience_fallbacks_total", ', source="stale"', columns["stale"]
        yield "resilience_breaker_state", "", columns["state"]
        yield "resilience_calls_in_flight", "", columns["in_flight"]


def make_healthy_day() -> dict[str, Any]:
    """Return the test of the healthy day: at no moment of it does any alert fire."""
    guards = [
        HealthyGuard("db", "a:1", 600),
        HealthyGuard("db", "b:1", 500),
        HealthyGuard("cache", "a:1", 3000),
        HealthyGuard("rare", "a:1", 4),
    ]
    series = [made for guard in guards for made in guard.make_series()]
    for instance in ("a:1", "b:1"):
        ups = " ".join("0" if minute == 16 * 60 else "1" for minute in range(DAY_MIN))
        series.append({"series": f'up{{job="shop", instance="{instance}"}}', "values": ups})
    shown = "count(count_over_time(job_guard:resilience_failures:ratio_rate5m[24h]))"
    return {
        "rule_files": RULES,
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": "A day of healthy traffic, with noise, two releases and a short opening",
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {"eval_time": "1439m", "expr": FIRED % DAY_MIN, "exp_samples": []},
                    # The rules have seen the traffic of three guards.
                    {
                        "eval_time": "1439m",
                        "expr": shown,
                        "exp_samples": [{"labels": "{}", "value": 3}],
                    },
                ],
            }
        ],
    }


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=FOLDER, help="Where to write.")
def main(output: Path) -> None:
    """Write the tests."""
    output.mkdir(parents=True, exist_ok=True)
    for name, content in (("outages", make_outages()), ("healthy-day", make_healthy_day())):
        text = yaml.safe_dump(content, sort_keys=False, width=1_000_000, allow_unicode=True)
        (output / f"{name}.yml").write_text(HEAD % f"{name}.yml" + text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The parts of a dashboard: variables, links, and panels that all look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models

RUNBOOKS: Final = "https://resilience-bench.example/stack/runbooks"
"""An address of nobody, as in the alerts: whoever copies the dashboards puts their own here."""
SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
GUARDS: Final = 'job=~"$job", instance=~"$instance", guard=~"$guard"'
"""What selects the series of the chosen guards."""
CHOSEN: Final = models.VariableOption(selected=True, text=["All"], value=["$__all"])
COLUMNS: Final = 24

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | bargauge.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and how its series are named."""

    expr: str
    legend: str = "__auto"
    exemplar: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a panel shows.

    Attributes:
        unit: Grafana's name of a unit.
        runbook: The runbook that a click on a series offers; empty for none.
        limit: From this value on, the panel is red.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["series", "stack", "number", "bars", "states"] = "series"
    width: int = 8
    height: int = 8
    runbook: str = ""
    limit: float | None = None


def make_dashboard(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Return a dashboard with the variables that all have: source, job, instance, guard."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["resilience"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Other dashboards of resilience")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["resilience"])
            .include_vars(True)  # noqa: FBT003 - the SDK's own form
            .keep_time(True)  # noqa: FBT003 - likewise
        )
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Source").type("prometheus")
        )
        .with_variable(dashboard.ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS))
    )
    state = "resilience_breaker_state"
    for name, query in (
        ("job", f"label_values({state}, job)"),
        ("instance", f'label_values({state}{{job=~"$job"}}, instance)'),
        ("guard", f'label_values({state}{{job=~"$job", instance=~"$instance"}}, guard)'),
    ):
        made.with_variable(make_choice(name, query))
    return made


def make_choice(name: str, query: str) -> dashboard.QueryVariable:
    """Return a variable of which several values, or all, can be chosen."""
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .query(query)
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003 - the SDK's own form
        .include_all(True)  # noqa: FBT003 - likewise
        .current(CHOSEN)
    )


class Board:
    """A dashboard that is filled row by row, from left to right."""

    def __init__(self, made: dashboard.Dashboard) -> None:
        self.made = made
        self._count = 0
        self._top = 0

    def add_row(self, title: str, plans: Sequence[Plan], repeat: str = "") -> None:
        """Add a row with its panels; ``repeat`` names a variable, for a row for each value."""
        row = dashboard.Row(title).id(self._number()).grid_pos(_place(0, self._top, COLUMNS, 1))
        self.made.with_row(row.repeat(repeat) if repeat else row)
        self._top += 1
        left = height = 0
        for plan in plans:
            if left + plan.width > COLUMNS:
                self._top, left, height = self._top + height, 0, 0
            place = _place(left, self._top, plan.width, plan.height)
            self.made.with_panel(make_panel(plan).id(self._number()).grid_pos(place))
            left, height = left + plan.width, max(height, plan.height)
        self._top += height

    def _number(self) -> int:
        self._count += 1
        return self._count


def make_panel(plan: Plan) -> Panel:
    """Return the panel of a plan, without its place."""
    panel = _dress(plan)
    panel.title(plan.title).description(plan.description).unit(plan.unit).datasource(SOURCE)
    panel.thresholds(_make_thresholds(plan.limit))
    for letter, query in zip("ABCDEFGH", plan.queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        target.ref_id(letter).datasource(SOURCE).exemplar(query.exemplar)
        panel.with_target(target.instant() if plan.kind in {"number", "bars"} else target.range())
    if plan.runbook:
        link = dashboard.DashboardLink("Runbook of ${__field.labels.guard}")
        link.url("${runbooks}/" + plan.runbook + "?guard=${__field.labels.guard:percentencode}")
        panel.data_links([link.target_blank(True)])  # noqa: FBT003 - the SDK's own form
    return panel


def _dress(plan: Plan) -> Panel:
    match plan.kind:
        case "number":
            return stat.Panel().color_mode(looks.BigValueColorMode.VALUE).no_value("none")
        case "bars":
            panel = bargauge.Panel().orientation(looks.VizOrientation.HORIZONTAL)
            return panel.color_scheme(_color(models.FieldColorModeId.PALETTE_CLASSIC))
        case "states":
            states = (("0", "closed", "green"), ("1", "half-open", "yellow"), ("2", "open", "red"))
            texts = {
                value: models.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, text, color) in enumerate(states)
            }
            timeline = statetimeline.Panel().mappings([models.ValueMap(options=texts)])
            return timeline.merge_values(True).show_value(looks.VisibilityMode.NEVER)  # noqa: FBT003
    series = timeseries.Panel().color_scheme(_color(models.FieldColorModeId.PALETTE_CLASSIC))
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.LIST)
    series.legend(legend.placement(looks.LegendPlacement.BOTTOM).show_legend(True))  # noqa: FBT003
    if plan.kind == "stack":
        series.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL)).fill_opacity(30)
    return series


def _make_thresholds(limit: float | None) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(color="green")]
    if limit is not None:
        steps.append(models.Threshold(value=limit, color="red"))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _color(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _place(left: int, top: int, width: int, height: int) -> models.GridPos:
    return models.GridPos(x=left, y=top, w=width, h=height)

"""What a sweep file says of several metrics, and of the trial that is picked where there can be only one."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hpo.config.fields import Name, Section, broken


class MetricOfSeveral(Section):
    """One of several metrics that trials are searched by."""

    name: Name
    """The metric's name."""
    goal: Literal["minimize", "maximize"] = "minimize"
    """Which way is better."""
    reference: float | None = None
    """From where the hypervolume is measured; where left out a tenth of the range beyond the sweep's worst value."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_target(cls, value: object) -> object:
        if isinstance(value, dict) and "target" in value:
            raise broken("is for one metric: with several there is no best trial that could reach it", "target")
        return value


def _two_or_more(metrics: list[MetricOfSeveral]) -> list[MetricOfSeveral]:
    if len(metrics) < 2:
        only = f" metric: {{name: {metrics[0].name}, goal: {metrics[0].goal}}}" if metrics else " metric:"
        raise broken(f"is for two metrics or more: write{only}")
    if len(metrics) > MOST:
        raise broken(f"must have at most {MOST} metrics, got {len(metrics)}: nearly all trials would be on the front")
    return metrics


MOST = 8
"""With more metrics hardly any trial beats another in all of them."""
SeveralMetrics = Annotated[
    list[MetricOfSeveral], AfterValidator(_two_or_more), Field(json_schema_extra={"minItems": 2, "maxItems": MOST})
]


class Level(Section):
    """One step of a lexicographic rule."""

    metric: Name
    """The metric that decides here."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How far behind the best a trial may be and still go on to the next step, in units of the metric."""


class Pick(Section):
    """Which trial of the front is meant where there can be only one: exactly one of these rules."""

    metric: Name | None = None
    """The best in this metric."""
    knee: Literal[True] | None = None
    """Where the front bends most: the smallest sum of the metrics, each scaled to 0 .. 1 over the front."""
    lexicographic: Annotated[list[Level], Field(min_length=1)] | None = None
    """One metric after the other: who is within the tolerance of the best goes on, in the last one the best is it."""

    @model_validator(mode="after")
    def _is_exactly_one(self) -> "Pick":
        given = [key for key in ("metric", "knee", "lexicographic") if getattr(self, key) is not None]
        if not given:
            raise broken("give metric (a name), knee: true, or lexicographic (a list)")
        if len(given) > 1:
            raise broken(f"give {given[0]} or {given[1]}, not both", given[1], on_key=True)
        return self

    @property
    def decisive(self) -> str | None:
        """The metric it puts first; None where it puts none first."""
        return next((name for _, name in self.names), None)

    @property
    def names(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The metrics it names, each with the place that does."""
        if self.metric is not None:
            yield ("metric",), self.metric
        for position, level in enumerate(self.lexicographic or []):
            yield ("lexicographic", position, "metric"), level.metric


def pick_from_word(value: object) -> object:
    """The rule that a single word stands for."""
    if isinstance(value, str) and value != "knee":
        raise broken(f"must be knee, {{metric: {value}}} or {{lexicographic: [..]}}, got '{value}'")
    return {"knee": True} if value == "knee" else value

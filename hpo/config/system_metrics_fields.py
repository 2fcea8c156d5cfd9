"""The keys of `capture.system_metrics`."""

from typing import Annotated

from pydantic import BeforeValidator

from hpo.config.fields import Duration, Section, broken

SHORTEST = 0.1
"""Seconds between two samples at least: a sample takes some milliseconds."""


def _long_enough(seconds: object) -> object:
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds < SHORTEST:
        raise broken(f"must be at least {SHORTEST:g} seconds, got {seconds:g}")
    return seconds


class SystemMetrics(Section):
    """How often the use of CPU, memory and GPU is sampled while a trial runs."""

    interval: Annotated[Duration, BeforeValidator(_long_enough)] = 10.0
    """How long from one sample to the next: seconds, or 5s, 1m; at least 0.1. A trial has one at its end, too."""


def _from_word(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    return value


SystemMetricsGiven = Annotated[
    SystemMetrics | None, BeforeValidator(_from_word, json_schema_input_type=SystemMetrics | bool | None)
]

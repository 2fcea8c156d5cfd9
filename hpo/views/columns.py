"""Trials as columns: what a page draws from, a tenth the size of a list of objects."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hpo.constraints import INFEASIBLE_TAG
from hpo.space import Choice, Constant, IntRange, Space
from hpo.trial import Goal, State
from hpo.views.numbers import LARGEST, finite, seconds_between
from trackers.matching import number_in
from trackers.watching import TrialBody, TrialHead

STATES = tuple(state.value for state in State)
TAGS = (INFEASIBLE_TAG,)
"""The tags of trials that the columns need."""
MOST_PARAMS = 300
MOST_METRICS = 100
"""More columns than these are left out, and counted."""


class Row(NamedTuple):
    """A trial as a table shows it; `changed` is the revision in which it was last another one."""

    head: TrialHead
    body: TrialBody
    changed: int


class Columns:
    """Turns trials of one sweep into columns. What stands for a choice never changes: new ones are added at the end."""

    def __init__(self, space: Space | None, metric: str | None, goals: Mapping[str, Goal], *, is_judged: bool) -> None:
        self._metric = metric
        self._goals = goals
        self._is_judged = is_judged
        self._domains = {p.name: p.domain for p in space.parameters} if space else {}
        self._params: dict[str, _Param] = {}
        self._metrics: dict[str, None] = {}
        for name, domain in self._domains.items():
            given = (
                domain.choices
                if isinstance(domain, Choice)
                else (domain.value,)
                if isinstance(domain, Constant)
                else None
            )
            self._params[name] = (
                _Param("int" if isinstance(domain, IntRange) else "float") if given is None else _Param("choice", given)
            )

    def of(self, rows: Sequence[Row]) -> dict[str, object]:
        """The columns of these trials."""
        heads, bodies = [row.head for row in rows], [row.body for row in rows]
        self._learn(bodies)
        params, metrics = list(self._params)[:MOST_PARAMS], list(self._metrics)[:MOST_METRICS]
        states = {state: at for at, state in enumerate(STATES)}
        return {
            "run": [head.run_id for head in heads],
            "number": [head.number for head in heads],
            "name": None if all(head.attempt is not None for head in heads) else [head.name for head in heads],
            "states": STATES,
            "state": [states[head.state] for head in heads],
            "value": [self.value(row) for row in rows],
            "values": {name: [finite(body.metrics.get(name)) for body in bodies] for name in self._goals}
            if len(self._goals) > 1
            else {},
            "seconds": [seconds_of(head) for head in heads],
            "started": [head.started for head in heads],
            "ended": [head.ended for head in heads],
            "attempt": [head.attempt for head in heads],
            "slot": None,
            "reason": [head.reason or None for head in heads],
            "infeasible": [int(INFEASIBLE_TAG in body.tags) for body in bodies] if self._is_judged else None,
            "params": {
                name: self._params[name].column(body.params.get(name, _ABSENT) for body in bodies) for name in params
            },
            "metrics": {name: [_number(body.metrics.get(name)) for body in bodies] for name in metrics},
            "left_out": {"params": len(self._params) - len(params), "metrics": len(self._metrics) - len(metrics)},
        }

    def value(self, row: Row) -> float | None:
        """The sweep's metric of a trial; of runs that others wrote, the last value of that metric."""
        if row.head.attempt is not None:
            return _number(row.head.value)
        return _number(row.body.metrics.get(self._metric or "")) if row.head.state == State.COMPLETE else None

    def _learn(self, bodies: Sequence[TrialBody]) -> None:
        """Takes in names, kinds and choices not seen before."""
        for body in bodies:
            for name in body.metrics:
                self._metrics[name] = None
            for name in body.params:
                if name not in self._params:
                    self._params[name] = _Param(_kind(body.params[name] for body in bodies if name in body.params))


class _Absent:
    """Stands for a parameter that a trial does not have; None may be a choice."""


_ABSENT = _Absent()


class _Param:
    """A column of one parameter: numbers, or positions in a list of choices."""

    def __init__(self, kind: str, levels: Iterable[object] = ()) -> None:
        self._kind = kind
        self._levels: list[object] = []
        self._places: dict[tuple[type, object], int] = {}
        for level in levels:
            self._place(level)

    def column(self, values: Iterable[object]) -> dict[str, object]:
        if self._kind == "choice":
            places = [None if value is _ABSENT else self._place(value) for value in values]
            return {"kind": "choice", "levels": list(self._levels), "values": places}
        return {"kind": self._kind, "values": [_as_number(value) for value in values]}

    def _place(self, value: object) -> int:
        key = (type(value), value)
        if key not in self._places:
            self._places[key] = len(self._levels)
            self._levels.append(value if not isinstance(value, float) or math.isfinite(value) else str(value))
        return self._places[key]


def seconds_of(head: TrialHead) -> float | None:
    """How long a trial ran; None while it has not ended."""
    return finite(head.seconds) if head.seconds is not None else seconds_between(head.started, head.ended)


def _kind(values: Iterable[object]) -> str:
    """Whether all values are whole numbers, numbers, or something to choose from; MLflow keeps numbers as texts."""
    kind = "int"
    for value in values:
        number = _as_number(value)
        if number is None or isinstance(value, bool):
            return "choice"
        if isinstance(value, float) or (isinstance(value, str) and not value.strip("+-").isdecimal()):
            kind = "float"
    return kind


def _as_number(value: object) -> float | None:
    if isinstance(value, str):
        return number_in(value)
    return finite(value)


_NUMBERS = (float, int)


def _number(value: float | None) -> float | None:
    """As `finite`, for what nearly always is a float or None; a hot path."""
    return value if value.__class__ in _NUMBERS and -LARGEST < value < LARGEST else None

"""The front of a sweep by several metrics, and how far it reached trial by trial."""

from collections.abc import Mapping, Sequence

from hpo.constraints import INFEASIBLE_TAG
from hpo.front import MOST_METRICS, FrontSoFar, Goals, Values, front, hypervolume, reference_point
from hpo.front_on_record import values_of
from hpo.trial import State
from hpo.views.columns import Row


def front_fields(rows: Sequence[Row], goals: Goals, references: Mapping[str, float]) -> dict[str, object]:
    """Members best first by the first metric, the reference point, and the hypervolume after each trial that moved it.

    Rows are taken in the order of their numbers. Nothing where the sweep has one metric.
    """
    valued = [
        (row, values)
        for row in sorted(rows, key=lambda row: row.head.number or 0)
        if row.head.state == State.COMPLETE
        and INFEASIBLE_TAG not in row.body.tags
        and (values := values_of(row.body.metrics, goals))
    ]
    told: dict[str, object] = {"goals": {name: goal.value for name, goal in goals.items()}, "members": []}
    if len(goals) < 2 or not valued:
        return {**told, "reference": None, "hypervolume": None}
    points, ways = [values for _, values in valued], tuple(goals.values())
    told["members"] = [_member(*valued[position], goals) for position in front(points, ways)]
    if len(goals) > MOST_METRICS:
        return {**told, "reference": None, "hypervolume": None}
    reference = dict(zip(goals, reference_point(points, ways), strict=True)) | dict(references)
    corner = tuple(reference[name] for name in goals)
    return {**told, "reference": reference, "hypervolume": _growth(valued, goals, corner)}


def _growth(valued: Sequence[tuple[Row, Values]], goals: Goals, corner: Values) -> dict[str, list[object]]:
    ways = tuple(goals.values())
    so_far = FrontSoFar(ways)
    numbers: list[object] = []
    volumes: list[object] = []
    for row, values in valued:
        if so_far.add(row.head.number or 0, values):
            numbers.append(row.head.number)
            volumes.append(hypervolume(so_far.points, ways, corner))
    if numbers[-1] != valued[-1][0].head.number:
        numbers.append(valued[-1][0].head.number)
        volumes.append(volumes[-1])
    return {"number": numbers, "value": volumes}


def _member(row: Row, values: Values, goals: Goals) -> dict[str, object]:
    return {"number": row.head.number, "run": row.head.run_id, "values": dict(zip(goals, values, strict=True))}

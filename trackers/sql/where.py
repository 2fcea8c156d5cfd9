"""Conditions and orders as SQL: every comparison is true or false, never NULL, so NOT means what `matching` means."""

from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from trackers.conditions import And, Comparison, Condition, Key, Kind, Not, Operator, Or
from trackers.rows import STATE_OF_STATUS
from trackers.sql.functions import Column, code_points, is_like, number_in, small_letters
from trackers.sql.guard import Layout
from trackers.sql.own_schema import hpo_trials
from trackers.sql.schema import latest_metrics, params, runs, tags
from trackers.sql.shapes import value_at

Predicate = sa.ColumnElement[bool]
_COMPARE: Mapping[Operator, Callable[[Column, Column], Predicate]] = {
    Operator.EQUAL: lambda column, value: column == value,
    Operator.DIFFERENT: lambda column, value: column != value,
    Operator.LESS: lambda column, value: _sorted(column) < value,
    Operator.AT_MOST: lambda column, value: _sorted(column) <= value,
    Operator.GREATER: lambda column, value: _sorted(column) > value,
    Operator.AT_LEAST: lambda column, value: _sorted(column) >= value,
    Operator.LIKE: lambda column, value: is_like(column, value),
    Operator.NOT_LIKE: lambda column, value: sa.not_(is_like(column, value)),
    Operator.ILIKE: lambda column, value: is_like(small_letters(column), small_letters(value)),
    Operator.NOT_ILIKE: lambda column, value: sa.not_(is_like(small_letters(column), small_letters(value))),
}


class Where:
    """Makes conditions on a SELECT from `runs`, outer-joined to `hpo_trials` where we have that table.

    They are those of a shape (see `trackers.sql.shapes`): what they are compared to is given with each question.
    """

    def __init__(self, layout: Layout) -> None:
        self._has_trials = layout.is_ours

    def condition(self, condition: Condition) -> Predicate:
        """The SQL of a condition."""
        if isinstance(condition, And):  # what takes long is looked at last, and so for few runs
            return sa.and_(*(self.condition(part) for part in sorted(_flat(condition), key=_effort)))
        if isinstance(condition, Or):
            return sa.or_(*(self.condition(part) for part in condition.parts))
        if isinstance(condition, Not):
            return sa.not_(self.condition(condition.part))
        return self._comparison(condition)

    def attribute(self, name: str) -> Column:
        """The column of an attribute, NULL where a run has none."""
        if name in _OF_RUNS:
            return _OF_RUNS[name]
        # a NULL with a type: PostgreSQL does not sort by a mere one
        trial: Column = hpo_trials.c[name] if self._has_trials else sa.cast(sa.null(), hpo_trials.c[name].type)
        if name == "state":
            return sa.func.coalesce(trial, _state_of_status()) if self._has_trials else _state_of_status()
        if name == "seconds":
            measured = (runs.c.end_time - runs.c.start_time) / sa.literal_column("1000.0")
            return (
                sa.case((hpo_trials.c.run_uuid.is_not(None), trial), else_=measured) if self._has_trials else measured
            )
        return trial

    def _comparison(self, comparison: Comparison) -> Predicate:
        key = comparison.key
        if key.kind is Kind.ATTRIBUTE:
            column = self.attribute(key.name)
            if comparison.operator is Operator.ABSENT:
                return column.is_(None)
            return sa.and_(column.is_not(None), _holds(column, comparison))
        table, value = _VALUES[key.kind]
        found = sa.exists().where(table.c.run_uuid == runs.c.run_uuid, table.c.key == key.name, *_number_only(key.kind))
        found = found.correlate(runs)  # the outer SELECT may read from the same table, as children of a parent do
        if comparison.operator is Operator.ABSENT:
            return sa.not_(found)
        if comparison.operator is Operator.PRESENT:
            return found
        if key.kind is not Kind.METRIC and not isinstance(comparison.values[0], str):
            value = number_in(value)  # NULL where it is none, and then the comparison is NULL too, which finds no row
        return found.where(_holds(value, comparison))


def sort_source(key: Key) -> sa.FromClause:
    """The table whose row, if any, holds what a key that is no attribute sorts by. Join it by `sort_join`."""
    return _VALUES[key.kind][0].alias()


def sort_join(key: Key, source: sa.FromClause) -> Predicate:
    """How the source of a key is joined to `runs`."""
    joined = sa.and_(source.c.run_uuid == runs.c.run_uuid, source.c.key == key.name)
    return sa.and_(joined, source.c.is_nan == sa.false()) if key.kind is Kind.METRIC else joined


def sort_columns(key: Key, column: Column) -> list[Column]:
    """What a key sorts by, first things first: numbers before texts."""
    if key.kind in (Kind.PARAM, Kind.TAG):
        number = number_in(column)
        return [sa.case((number.is_(None), 1), else_=0), number, code_points(column)]
    return [_sorted(column)]


def _flat(condition: And) -> Iterator[Condition]:
    for part in condition.parts:
        yield from _flat(part) if isinstance(part, And) else (part,)


def _effort(condition: Condition) -> int:
    """How long it takes to look at a run: a column of it, a row of its metrics or texts, a text read as a number."""
    if isinstance(condition, And | Or):
        return max(map(_effort, condition.parts), default=0)
    if isinstance(condition, Not):
        return _effort(condition.part)
    if condition.key.kind is Kind.ATTRIBUTE:
        return 0
    is_as_it_is = condition.key.kind is Kind.METRIC or not condition.values or isinstance(condition.values[0], str)
    return 1 if is_as_it_is else 2


def _holds(column: Column, comparison: Comparison) -> Predicate:
    if comparison.operator is Operator.PRESENT:
        return sa.true()
    values = [value_at(place) for place in comparison.values]
    if comparison.operator is Operator.IN:
        return column.in_(values)
    if comparison.operator is Operator.NOT_IN:
        return column.not_in(values)
    return _COMPARE[comparison.operator](column, values[0])


def _sorted(column: Column) -> Column:
    """The column as it sorts: texts by code point."""
    return code_points(column) if isinstance(column.type, sa.String) else column


def _number_only(kind: Kind) -> list[Predicate]:
    return [latest_metrics.c.is_nan == sa.false()] if kind is Kind.METRIC else []


def _state_of_status() -> Column:
    states = {str(status): state for status, state in STATE_OF_STATUS.items()}
    return sa.case(states, value=runs.c.status)


_OF_RUNS: Mapping[str, Column] = {
    "status": runs.c.status,
    "name": runs.c.name,
    "run_id": runs.c.run_uuid,
    "started": runs.c.start_time,
    "ended": runs.c.end_time,
}
_VALUES: Mapping[Kind, tuple[sa.Table, Column]] = {
    Kind.METRIC: (latest_metrics, latest_metrics.c.value),
    Kind.PARAM: (params, params.c.value),
    Kind.TAG: (tags, tags.c.value),
}

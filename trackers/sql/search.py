"""Finds the ids of runs: filter, order and limit in SQL, by the walk along an index that answers soonest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from trackers.conditions import Key, Kind
from trackers.filters import parse_filter, parse_order
from trackers.records import Query
from trackers.rows import LARGEST, PARENT_TAG
from trackers.sql.functions import Column, code_points, seldom
from trackers.sql.guard import WORKSPACE, Layout
from trackers.sql.known_runs import Known
from trackers.sql.own_schema import hpo_sweeps, hpo_trials
from trackers.sql.prepared import Prepared
from trackers.sql.schema import experiments, latest_metrics, runs, tags
from trackers.sql.shapes import AFTER_PREFIX, ENDLESS, EXPERIMENT, LIMIT, NAME, OFFSET, PARENT, PREFIX, Shape, shape_of
from trackers.sql.where import Predicate, Where, sort_columns, sort_join, sort_source

_FEW = 1000
"""So few children are gathered and sorted whatever else there is."""
_MANY = 50_000
"""So many are never gathered."""
_KEPT = 64
"""Statements that are kept for the next questions of their shape: to make one takes as long as a good answer."""


@dataclass(frozen=True)
class _Sort:
    key: Key
    is_descending: bool


_BY_NUMBER = _Sort(Key(Kind.ATTRIBUTE, "number"), is_descending=False)
_OF = sa.bindparam("of", type_=sa.String())
_OWN_INDEXES = (Key(Kind.ATTRIBUTE, "number"), Key(Kind.ATTRIBUTE, "value"))


@dataclass(frozen=True)
class _Counts:
    """Counts within one transaction, or as they are known."""

    connection: sa.Connection
    known: Known

    def of(self, counting: Prepared, of: str, limit: int) -> int:
        """How many there are of that run, or metric."""

        def count() -> int:
            [[number]] = counting.rows(self.connection, {"of": of, "limit": limit})
            return int(number)

        return self.known.count((counting, of, limit), count)


class Search:
    """Answers queries on a database of one layout. May be used from several threads."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._where = Where(layout)
        self._statements: dict[tuple[str, Shape], Prepared] = {}

    def ids(self, connection: sa.Connection, query: Query, known: Known) -> Sequence[str]:
        """The ids of the runs that answer a query, in its order."""
        counts = _Counts(connection, known)
        shape, values = shape_of(query, parse_filter(query.where))
        sorts = [_Sort(parse_order(order), order.descending) for order in query.order]
        first = sorts[0] if sorts else _BY_NUMBER
        if query.limit and len(sorts) <= 1 and self._is_short_walk(counts, first.key, query):
            walked = self._prepared("walked", shape, lambda: self._walked(shape, first))
            found = _ids(walked.rows(connection, values))
            if _is_whole(counts, query, first.key, len(found)):
                return found
        return _ids(self._prepared("sorted", shape, lambda: self._sorted(shape, sorts)).rows(connection, values))

    def _prepared(self, way: str, shape: Shape, make: Callable[[], sa.Select[str]]) -> Prepared:
        known = self._statements.get((way, shape))
        if known is None:
            known = Prepared(make())
            if len(self._statements) >= _KEPT:
                self._statements = {}  # in one step: others may be reading
            self._statements[way, shape] = known
        return known

    def _predicates(self, shape: Shape) -> list[Predicate]:
        """What a shape says, but for the parent and the order."""
        query = shape.query
        predicates: list[Predicate] = []
        if query.deleted is not None:
            predicates.append(runs.c.lifecycle_stage == ("deleted" if query.deleted else "active"))
        if query.roots:
            predicates.append(~_parent_tag())
        if query.sweeps:
            parents = _parents() if self.layout.is_ours else sa.select(tags.c.value).where(is_parent_key())
            if self.layout.has("hpo_sweeps"):
                predicates.append(runs.c.run_uuid.in_(parents.union(sa.select(hpo_sweeps.c.run_uuid))))
            else:
                predicates.append(runs.c.run_uuid.in_(parents))
            if self.layout.is_ours:  # a trial that was run again with other seeds is a parent too
                predicates.append(hpo_trials.c.run_uuid.is_(None))
        if query.experiment is not None:
            named = sa.select(experiments.c.experiment_id).where(experiments.c.name == EXPERIMENT)
            if self.layout.has("experiments", "workspace"):
                named = named.where(sa.literal_column("experiments.workspace") == WORKSPACE)
            predicates.append(runs.c.experiment_id.in_(named))
        if query.name is not None:
            predicates.append(runs.c.name == NAME)
        if query.id_prefix:
            predicates.append(code_points(runs.c.run_uuid) >= PREFIX)
            if query.id_prefix != ENDLESS:
                predicates.append(code_points(runs.c.run_uuid) < AFTER_PREFIX)
        if shape.condition is not None:
            predicates.append(self._where.condition(shape.condition))
        return predicates

    def _sorted(self, shape: Shape, sorts: Sequence[_Sort]) -> sa.Select[str]:
        """The general way: all that answer are found, and sorted."""
        query, predicates = shape.query, self._predicates(shape)
        source = self._runs()
        if query.parent is not None:
            source = source.join(tags, sa.and_(tags.c.run_uuid == runs.c.run_uuid, is_parent_key()))
            predicates.append(tags.c.value == PARENT)
        joined: dict[Key, sa.FromClause] = {}
        if query.finite is not None:
            finite = latest_metrics.alias("finite")
            source = source.join(finite, finite.c.run_uuid == runs.c.run_uuid)
            predicates += _finite_in(finite, query.finite)
            joined[Key(Kind.METRIC, query.finite)] = finite
        order: list[Column] = []
        for sort in sorts:
            if sort.key.kind is Kind.ATTRIBUTE:
                column = self._where.attribute(sort.key.name)
            else:
                held = joined.get(sort.key)
                if held is None:
                    held = joined[sort.key] = sort_source(sort.key)
                    source = source.outerjoin(held, sort_join(sort.key, held))
                column = held.c.value
            order += _directed(sort, column)
        statement = sa.select(runs.c.run_uuid).select_from(source).where(*predicates)
        return _page(statement.order_by(*order, *self._ties()), query)

    def _walked(self, shape: Shape, sort: _Sort) -> sa.Select[str]:
        """The way along the index of the one key, until the page is full."""
        query, predicates = shape.query, self._predicates(shape)
        key = sort.key
        is_metric = key.kind is Kind.METRIC
        is_finite_only = is_metric and query.finite == key.name
        walked = (latest_metrics if is_metric else hpo_trials).alias("walked")
        column = walked.c.value if is_metric else walked.c[key.name]
        if is_metric:
            own = _finite_in(walked, key.name) if is_finite_only else _present_in(walked, key.name)
        else:
            own = [walked.c.sweep_uuid == PARENT, column.is_not(None)]
        if query.parent is not None:
            predicates.append(_parent_tag().where(tags.c.value == PARENT))
        if query.finite is not None and not is_finite_only:
            finite = latest_metrics.alias("finite")
            own.append(sa.exists().where(finite.c.run_uuid == walked.c.run_uuid, *_finite_in(finite, query.finite)))
        # scalar subqueries instead of joins: no planner can turn them round and sort everything
        is_wanted = _one().select_from(self._runs()).where(runs.c.run_uuid == walked.c.run_uuid, *predicates)
        statement = (
            sa.select(walked.c.run_uuid)
            .where(*own, is_wanted.scalar_subquery().is_not(None))
            .order_by(column.desc() if sort.is_descending else column.asc(), *self._ties_of(walked))
        )
        return _page(statement, query)

    def _is_short_walk(self, counts: _Counts, key: Key, query: Query) -> bool:
        """Whether there is an index to walk along, and walking it meets mostly runs that are wanted."""
        if key in _OWN_INDEXES:
            return self.layout.is_ours and query.parent is not None
        if key.kind is not Kind.METRIC:
            return False
        if query.parent is None:
            return True
        wanted = counts.of(_CHILDREN, query.parent, _MANY)
        if wanted == _MANY:
            return True
        return wanted > _FEW and counts.of(_MEASURED, key.name, wanted * 4) < wanted * 4

    def _runs(self) -> sa.FromClause:
        """Runs, with what we know of them as trials."""
        if not self.layout.is_ours:
            return runs
        return runs.outerjoin(hpo_trials, hpo_trials.c.run_uuid == runs.c.run_uuid)

    def _ties(self) -> list[Column]:
        number = [hpo_trials.c.number.asc().nulls_last()] if self.layout.is_ours else []
        return [*number, runs.c.start_time.asc().nulls_last(), code_points(runs.c.run_uuid)]

    def _ties_of(self, walked: sa.FromClause) -> list[Column]:
        """The same, looked up for one row of another table at a time."""
        own = sa.select(hpo_trials.c.number).where(hpo_trials.c.run_uuid == walked.c.run_uuid).scalar_subquery()
        begun = sa.select(runs.c.start_time).where(runs.c.run_uuid == walked.c.run_uuid).scalar_subquery()
        number = [own.asc().nulls_last()] if self.layout.is_ours else []
        return [*number, begun.asc().nulls_last(), code_points(walked.c.run_uuid)]


def _is_whole(counts: _Counts, query: Query, key: Key, found: int) -> bool:
    """Whether a walk has met all that answer.

    Runs that have no number to sort by come last, so a page that is full without them is the right one, and so is any
    where there are none of them.
    """
    is_metric = key.kind is Kind.METRIC
    if found == query.limit or (is_metric and query.finite == key.name):
        return True
    return not is_metric and query.parent is not None and not counts.of(_OTHERS[key.name], query.parent, 1)


def _page(statement: sa.Select[str], query: Query) -> sa.Select[str]:
    return statement if query.limit is None and not query.offset else statement.limit(LIMIT).offset(OFFSET)


def _ids(rows: Sequence[Sequence[Any]]) -> list[str]:
    return [row[0] for row in rows]


def _directed(sort: _Sort, column: Column) -> list[Column]:
    columns = sort_columns(sort.key, column)
    directed: list[Column] = [part.desc() if sort.is_descending else part.asc() for part in columns]
    if len(columns) == 1:
        return [directed[0].nulls_last()]
    return [sa.case((column.is_(None), 1), else_=0), *directed]


def _one() -> sa.Select[int]:
    return sa.select(sa.literal_column("1", sa.Integer))


def _counting(rows: sa.Select[int]) -> Prepared:
    """How many rows there are of something, counted up to a limit."""
    return Prepared(sa.select(sa.func.count()).select_from(rows.limit(LIMIT).subquery()))


def is_parent_key() -> Predicate:
    """Whether a tag names the parent of its run."""
    return tags.c.key == sa.literal_column(f"'{PARENT_TAG}'")  # no bound value: it has to match our partial index


def _others(column: str) -> Prepared:
    """The children of a run that no walk along this column of its trials meets."""
    own = hpo_trials.c
    is_met = sa.exists().where(own.run_uuid == tags.c.run_uuid, own.sweep_uuid == _OF, own[column].is_not(None))
    return _counting(_one().select_from(tags).where(is_parent_key(), tags.c.value == _OF, ~is_met))


def _parents() -> sa.Select[str]:
    """All runs that have children, by steps along our index from one to the next: a sweep may have a million."""
    every = sa.select(_next_parent(tags.alias("first"), sa.literal_column("''")).label("parent"))
    every_one = every.cte("parents", recursive=True)
    following = _next_parent(tags.alias("following"), every_one.c.parent)
    steps = sa.select(following).where(every_one.c.parent.is_not(None))
    found = every_one.union_all(steps).c.parent
    return sa.select(found).where(found.is_not(None))


def _next_parent(source: sa.FromClause, after: Column) -> Column:
    is_child = source.c.key == sa.literal_column(f"'{PARENT_TAG}'")
    found = sa.select(source.c.value).where(is_child, seldom(source.c.value > after)).order_by(source.c.value).limit(1)
    return found.correlate_except(source).scalar_subquery()


def _parent_tag() -> sa.Exists:
    """Whether a run has a parent; looked up run by run, so that the walk along another index stays."""
    return sa.exists().where(tags.c.run_uuid == runs.c.run_uuid, is_parent_key())


def _present_in(values: sa.FromClause, metric: str) -> list[Predicate]:
    return [values.c.key == metric, values.c.is_nan == sa.false()]


def _finite_in(values: sa.FromClause, metric: str) -> list[Predicate]:
    return [*_present_in(values, metric), values.c.value > -LARGEST, values.c.value < LARGEST]


_CHILDREN = _counting(_one().select_from(tags).where(is_parent_key(), tags.c.value == _OF))
_MEASURED = _counting(_one().select_from(latest_metrics).where(latest_metrics.c.key == _OF))
_OTHERS = {key.name: _others(key.name) for key in _OWN_INDEXES}

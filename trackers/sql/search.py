"""Finds the ids of runs: filter, order and limit in SQL, by the walk along an index that answers soonest."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from trackers.conditions import Key, Kind
from trackers.filters import parse_filter, parse_order
from trackers.records import Query
from trackers.rows import LARGEST, PARENT_TAG
from trackers.sql.functions import Column, code_points, seldom
from trackers.sql.guard import WORKSPACE, Layout
from trackers.sql.own_schema import hpo_sweeps, hpo_trials
from trackers.sql.schema import experiments, latest_metrics, runs, tags
from trackers.sql.where import Predicate, Where, sort_columns, sort_join, sort_source

_FEW = 1000
"""So few children are gathered and sorted whatever else there is."""
_MANY = 50_000
"""So many are never gathered."""
_LAST = chr(0x10FFFF)
"""No character comes after it."""


@dataclass(frozen=True)
class _Sort:
    key: Key
    is_descending: bool


_BY_NUMBER = _Sort(Key(Kind.ATTRIBUTE, "number"), is_descending=False)
_OWN_INDEXES = (Key(Kind.ATTRIBUTE, "number"), Key(Kind.ATTRIBUTE, "value"))


class Search:
    """Answers queries on a database of one layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._where = Where(layout)

    def ids(self, connection: sa.Connection, query: Query) -> Sequence[str]:
        """The ids of the runs that answer a query, in its order."""
        condition = parse_filter(query.where)
        predicates = self._plain(query)
        if condition is not None:
            predicates.append(self._where.condition(condition))
        sorts = [_Sort(parse_order(order), order.descending) for order in query.order]
        first = sorts[0] if sorts else _BY_NUMBER
        if query.limit and len(sorts) <= 1 and self._is_short_walk(connection, first.key, query):
            found = self._walked(connection, query, predicates, first)
            if found is not None:
                return found
        return self._sorted(connection, query, predicates, sorts)

    def _plain(self, query: Query) -> list[Predicate]:
        """What the fields of a query say, but for the parent and the order."""
        predicates: list[Predicate] = []
        if query.deleted is not None:
            predicates.append(runs.c.lifecycle_stage == ("deleted" if query.deleted else "active"))
        if query.roots:
            predicates.append(~_parent_tag())
        if query.sweeps:
            parents = _parents() if self._layout.is_ours else sa.select(tags.c.value).where(is_parent_key())
            if self._layout.has("hpo_sweeps"):
                predicates.append(runs.c.run_uuid.in_(parents.union(sa.select(hpo_sweeps.c.run_uuid))))
            else:
                predicates.append(runs.c.run_uuid.in_(parents))
            if self._layout.is_ours:  # a trial that was run again with other seeds is a parent too
                predicates.append(hpo_trials.c.run_uuid.is_(None))
        if query.experiment is not None:
            named = sa.select(experiments.c.experiment_id).where(experiments.c.name == query.experiment)
            if self._layout.has("experiments", "workspace"):
                named = named.where(sa.literal_column("experiments.workspace") == WORKSPACE)
            predicates.append(runs.c.experiment_id.in_(named))
        if query.name is not None:
            predicates.append(runs.c.name == query.name)
        if query.id_prefix:
            predicates += _begins(code_points(runs.c.run_uuid), query.id_prefix)
        return predicates

    def _sorted(
        self, connection: sa.Connection, query: Query, predicates: Sequence[Predicate], sorts: Sequence[_Sort]
    ) -> Sequence[str]:
        """The general way: all that answer are found, and sorted."""
        source = self._runs()
        if query.parent is not None:
            source = source.join(tags, sa.and_(tags.c.run_uuid == runs.c.run_uuid, is_parent_key()))
            predicates = [*predicates, tags.c.value == query.parent]
        joined: dict[Key, sa.FromClause] = {}
        if query.finite is not None:
            finite = latest_metrics.alias("finite")
            source = source.join(finite, finite.c.run_uuid == runs.c.run_uuid)
            predicates = [*predicates, *_finite_in(finite, query.finite)]
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
        return _page(connection, statement.order_by(*order, *self._ties()), query)

    def _walked(
        self, connection: sa.Connection, query: Query, predicates: Sequence[Predicate], sort: _Sort
    ) -> Sequence[str] | None:
        """The way along the index of the one key, until the page is full; None where that does not answer.

        Runs that have no number to sort by come last, so a page that is full without them is the right one, and so is
        any where there are none of them.
        """
        key = sort.key
        is_metric = key.kind is Kind.METRIC
        is_finite_only = is_metric and query.finite == key.name
        walked = (latest_metrics if is_metric else hpo_trials).alias("walked")
        column = walked.c.value if is_metric else walked.c[key.name]
        if is_metric:
            own = _finite_in(walked, key.name) if is_finite_only else _present_in(walked, key.name)
        else:
            own = [walked.c.sweep_uuid == query.parent, column.is_not(None)]
        if query.parent is not None:
            predicates = [*predicates, _parent_tag(query.parent)]
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
        found = _page(connection, statement, query)
        if is_finite_only or len(found) == query.limit:
            return found
        return None if is_metric or _has_others(connection, query.parent, key.name) else found

    def _is_short_walk(self, connection: sa.Connection, key: Key, query: Query) -> bool:
        """Whether there is an index to walk along, and walking it meets mostly runs that are wanted."""
        if key in _OWN_INDEXES:
            return self._layout.is_ours and query.parent is not None
        if key.kind is not Kind.METRIC:
            return False
        if query.parent is None:
            return True
        children = _one().select_from(tags).where(is_parent_key(), tags.c.value == query.parent)
        wanted = _count(connection, children, _MANY)
        if wanted == _MANY:
            return True
        met = _one().select_from(latest_metrics).where(latest_metrics.c.key == key.name)
        return wanted > _FEW and _count(connection, met, wanted * 4) < wanted * 4

    def _runs(self) -> sa.FromClause:
        """Runs, with what we know of them as trials."""
        if not self._layout.is_ours:
            return runs
        return runs.outerjoin(hpo_trials, hpo_trials.c.run_uuid == runs.c.run_uuid)

    def _ties(self) -> list[Column]:
        number = [hpo_trials.c.number.asc().nulls_last()] if self._layout.is_ours else []
        return [*number, runs.c.start_time.asc().nulls_last(), code_points(runs.c.run_uuid)]

    def _ties_of(self, walked: sa.FromClause) -> list[Column]:
        """The same, looked up for one row of another table at a time."""
        own = sa.select(hpo_trials.c.number).where(hpo_trials.c.run_uuid == walked.c.run_uuid).scalar_subquery()
        begun = sa.select(runs.c.start_time).where(runs.c.run_uuid == walked.c.run_uuid).scalar_subquery()
        number = [own.asc().nulls_last()] if self._layout.is_ours else []
        return [*number, begun.asc().nulls_last(), code_points(walked.c.run_uuid)]


def _page(connection: sa.Connection, statement: sa.Select[str], query: Query) -> Sequence[str]:
    if query.limit is not None or query.offset:
        # SQLite has no OFFSET without LIMIT
        statement = statement.limit(query.limit if query.limit is not None else 2**62).offset(query.offset)
    return connection.execute(statement).scalars().all()


def _directed(sort: _Sort, column: Column) -> list[Column]:
    columns = sort_columns(sort.key, column)
    directed: list[Column] = [part.desc() if sort.is_descending else part.asc() for part in columns]
    if len(columns) == 1:
        return [directed[0].nulls_last()]
    return [sa.case((column.is_(None), 1), else_=0), *directed]


def _begins(column: Column, prefix: str) -> list[Predicate]:
    """The texts that begin so, as a stretch of an index: from the prefix up to the first text after all of them."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return [column >= prefix]
    after = ord(stem[-1]) + 1
    after = 0xE000 if after == 0xD800 else after  # no text has a surrogate
    return [column >= prefix, column < stem[:-1] + chr(after)]


def _one() -> sa.Select[int]:
    return sa.select(sa.literal_column("1", sa.Integer))


def _count(connection: sa.Connection, rows: sa.Select[int], limit: int) -> int:
    """How many rows there are, counted up to a limit."""
    return connection.execute(sa.select(sa.func.count()).select_from(rows.limit(limit).subquery())).scalar_one()


def is_parent_key() -> Predicate:
    """Whether a tag names the parent of its run."""
    return tags.c.key == sa.literal_column(f"'{PARENT_TAG}'")  # no bound value: it has to match our partial index


def _has_others(connection: sa.Connection, parent: str | None, column: str) -> bool:
    """Whether a run has children that no walk along this column of its trials meets."""
    own = hpo_trials.c
    is_met = sa.exists().where(own.run_uuid == tags.c.run_uuid, own.sweep_uuid == parent, own[column].is_not(None))
    others = _one().select_from(tags).where(is_parent_key(), tags.c.value == parent, ~is_met)
    return connection.execute(others.limit(1)).first() is not None


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


def _parent_tag(parent: str | None = None) -> Predicate:
    """Whether a run has a parent, or this one; looked up run by run, so that the walk along another index stays."""
    tag = sa.exists().where(tags.c.run_uuid == runs.c.run_uuid, is_parent_key())
    return tag if parent is None else tag.where(tags.c.value == parent)


def _present_in(values: sa.FromClause, metric: str) -> list[Predicate]:
    return [values.c.key == metric, values.c.is_nan == sa.false()]


def _finite_in(values: sa.FromClause, metric: str) -> list[Predicate]:
    return [*_present_in(values, metric), values.c.value > -LARGEST, values.c.value < LARGEST]

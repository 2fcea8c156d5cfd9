"""Which runs of a tracker in memory answer a query, and in what order: the plain way."""

from collections.abc import Collection, Mapping, Sequence

from trackers.conditions import Key
from trackers.filters import parse_filter, parse_order
from trackers.matching import matches, sort_value
from trackers.memory_run import KeptRun
from trackers.records import Query, Run
from trackers.rows import PARENT_TAG, is_finite


def meant(kept: Mapping[str, KeptRun], query: Query) -> list[Run]:
    """The runs that the fields of a query mean; these are looked at first, for to make a Run takes long."""
    parents = {each.tags.get(PARENT_TAG) for each in kept.values()} if query.sweeps else set()
    return [each.as_run() for each in kept.values() if _is_meant(each, query, parents)]


def page(runs: Sequence[Run], query: Query) -> Sequence[Run]:
    """Those that answer the query's filter, in its order, from its offset up to its limit."""
    condition = parse_filter(query.where)
    keys = [(parse_order(order), order.descending) for order in query.order]
    found = [run for run in runs if condition is None or matches(condition, run)]
    found.sort(key=_default_order)
    for key, descending in reversed(keys):
        found = _sorted(found, key, descending=descending)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _is_meant(run: KeptRun, query: Query, parents: Collection[str | None]) -> bool:
    parent = run.tags.get(PARENT_TAG)
    return (
        (query.parent is None or parent == query.parent)
        and (query.deleted is None or query.deleted == (run.deleted is not None))
        and (not query.roots or parent is None)
        and (not query.sweeps or run.sweep is not None or (run.id in parents and run.trial is None))
        and (query.experiment is None or run.experiment == query.experiment)
        and (query.name is None or run.name == query.name)
        and (query.id_prefix is None or run.id.startswith(query.id_prefix))
        and (query.finite is None or _is_finite_in(run, query.finite))
    )


def _is_finite_in(run: KeptRun, metric: str) -> bool:
    row = run.latest.get(metric)
    return row is not None and is_finite(row.number)


def _default_order(run: Run) -> tuple[bool, int, bool, int, str]:
    number = run.trial.number if run.trial else None
    return number is None, number or 0, run.started is None, run.started or 0, run.id


def _sorted(runs: list[Run], key: Key, *, descending: bool) -> list[Run]:
    values = [(sort_value(key, run), run) for run in runs]
    present = [(value, run) for value, run in values if value is not None]
    # a stable sort both ways: reverse=True keeps the order of ties
    present.sort(key=lambda pair: pair[0], reverse=descending)
    return [run for _, run in present] + [run for value, run in values if value is None]

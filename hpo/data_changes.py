"""In what two lots of data sets differ, by name: rows, columns, and the columns whose values are others."""

from collections.abc import Iterator, Sequence

from hpo.data_record import DataFacts
from hpo.provenance.changed import Changed
from trackers.records import Dataset

NAMED = 8
"""More columns than these are counted, not named."""


def data_changes(before: Sequence[Dataset], after: Sequence[Dataset]) -> Sequence[Changed]:
    """What was read then and now, by name and what it was read for; the same content under another name is the same.

    A data set that is in one of the lots alone is a difference too.
    """
    same = {data.digest for data in before} & {data.digest for data in after}
    old, new = (sorted(_of_others(lot, same), key=_place) for lot in (before, after))
    pairs = []
    for was in list(old):
        now = next((data for data in new if _place(data) == _place(was)), None)
        if now is not None:
            pairs.append((was, now))
            old.remove(was)
            new.remove(now)
    return [
        *(dataset_change(was, now) for was, now in pairs),
        *(Changed("data", was.name, _short(was), "") for was in old),
        *(Changed("data", now.name, "", _short(now)) for now in new),
    ]


def _of_others(lot: Sequence[Dataset], digests: set[str]) -> list[Dataset]:
    return [data for data in lot if data.digest not in digests]


def _place(data: Dataset) -> tuple[str, str]:
    return data.name, data.context


def dataset_change(before: Dataset, after: Dataset) -> Changed:
    """How a data set differs from what it was; the first line of the detail says most."""
    facts = DataFacts.of(before), DataFacts.of(after)
    by_rows = None not in (facts[0].rows, facts[1].rows)
    shown = _short(before, by_rows=by_rows), _short(after, by_rows=by_rows)
    return Changed("data", after.name, *shown, "\n".join(_differences(*facts)))


def _differences(before: DataFacts, after: DataFacts) -> Iterator[str]:
    by_rows = None not in (before.rows, after.rows)
    if by_rows and before.rows != after.rows:
        yield f"rows: {before.rows} -> {after.rows}"
    if before.columns and after.columns:
        yield from _columns(before, after)
    elif None not in (before.count, after.count) and before.count != after.count:
        yield f"columns: {before.count} -> {after.count}"
    if not by_rows and None not in (before.size, after.size) and before.size != after.size:
        yield f"size: {before.size} -> {after.size} bytes"


def _columns(before: DataFacts, after: DataFacts) -> Iterator[str]:
    shared = [name for name in before.columns if name in after.columns]
    yield from _named("columns removed", [name for name in before.columns if name not in after.columns])
    yield from _named("columns added", [name for name in after.columns if name not in before.columns])
    types = [(name, before.columns[name].type, after.columns[name].type) for name in shared]
    retyped = [name for name, old, new in types if old and new and old != new]
    if len(retyped) > NAMED:
        yield from _named("types differ of", retyped)
    else:
        yield from (f"type of {name}: {old} -> {new}" for name, old, new in types if name in retyped)
    if before.rows == after.rows:
        yield from _values(before, after, [name for name in shared if name not in retyped])
    if not retyped and shared != [name for name in after.columns if name in before.columns]:
        yield "the columns stand in another order"


def _values(before: DataFacts, after: DataFacts, names: Sequence[str]) -> Iterator[str]:
    pairs = [(name, before.columns[name].digest, after.columns[name].digest) for name in names]
    differing = [name for name, old, new in pairs if old and new and old != new]
    known = sum(bool(old and new) for _, old, new in pairs)
    if differing and len(differing) == known > 1:
        yield f"values differ in all {known} columns: rows may only stand in another order"
    else:
        yield from _named("values differ in", differing)


def _named(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        rest = len(names) - NAMED
        yield f"{what}: {', '.join(names[:NAMED])}{f' and {rest} more' if rest > 0 else ''}"


def _short(data: Dataset, *, by_rows: bool = True) -> str:
    facts = DataFacts.of(data)
    rows = f"{facts.rows} rows" if by_rows and facts.rows is not None else ""
    size = f"{facts.size} bytes" if facts.size is not None else ""
    return ", ".join(filter(None, [rows or size, f"digest {data.digest[:12]}"]))

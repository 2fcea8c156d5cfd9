"""The shape of a query: what stays the same where only its values differ, so that its SQL is made once for all of them.

In a shape each value is replaced by its place in the list of values: a text by a text, a number by a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from trackers.conditions import And, Comparison, Condition, Not, Or
from trackers.records import Query

PARENT, NAME, EXPERIMENT = (sa.bindparam(name, type_=sa.String()) for name in ("parent", "name", "experiment"))
PREFIX, AFTER_PREFIX = sa.bindparam("prefix", type_=sa.String()), sa.bindparam("after_prefix", type_=sa.String())
LIMIT, OFFSET = sa.bindparam("limit", type_=sa.BigInteger()), sa.bindparam("offset", type_=sa.BigInteger())
ENDLESS = "endless"
"""In the place of a prefix, where no text comes after all that begin so."""
_GIVEN = "given"
_LAST = chr(0x10FFFF)
"""No character comes after it."""


@dataclass(frozen=True)
class Shape:
    """A query and the condition of its filter without their values. Metrics, orders and keys are a part of it."""

    query: Query
    condition: Condition | None


def shape_of(query: Query, condition: Condition | None) -> tuple[Shape, Mapping[str, Any]]:
    """The shape of a query, and its values by the names that a statement has for them."""
    values: list[str | float] = []
    shaped = None if condition is None else _shaped(condition, values)
    bound: dict[str, Any] = {f"compared_{place}": value for place, value in enumerate(values)}
    bound |= {"parent": query.parent, "name": query.name, "experiment": query.experiment}
    after = _after(query.id_prefix) if query.id_prefix else None
    bound |= {"prefix": query.id_prefix, "after_prefix": after}
    # SQLite has no OFFSET without LIMIT
    bound |= {"limit": query.limit if query.limit is not None else 2**62, "offset": query.offset}
    plain = replace(
        query,
        parent=_given(query.parent),
        name=_given(query.name),
        experiment=_given(query.experiment),
        id_prefix=query.id_prefix and (ENDLESS if after is None else _GIVEN),
        where="",
        limit=None if query.limit is None else 1,
        offset=min(query.offset, 1),
        points_of=None,
        datasets=False,
    )
    return Shape(plain, shaped), bound


def value_at(place: str | float) -> sa.BindParameter[Any]:
    """The value whose place stands in a shape, with a type of its own: a server would make an integer of one that is
    compared to an integer.
    """
    return sa.bindparam(f"compared_{int(place)}", type_=sa.String() if isinstance(place, str) else sa.Double())


def _given(value: str | None) -> str | None:
    return None if value is None else _GIVEN


def _after(prefix: str) -> str | None:
    """The first text after all that begin so, None for none: what begins so is a stretch of an index."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    following = 0xE000 if following == 0xD800 else following  # no text has a surrogate
    return stem[:-1] + chr(following)


def _shaped(condition: Condition, values: list[str | float]) -> Condition:
    if isinstance(condition, And | Or):
        return type(condition)(tuple(_shaped(part, values) for part in condition.parts))
    if isinstance(condition, Not):
        return Not(_shaped(condition.part, values))
    return _comparison(condition, values)


def _comparison(comparison: Comparison, values: list[str | float]) -> Comparison:
    places = range(len(values), len(values) + len(comparison.values))
    values += comparison.values
    is_text = bool(comparison.values) and isinstance(comparison.values[0], str)
    return replace(comparison, values=tuple(map(str, places)) if is_text else tuple(map(float, places)))

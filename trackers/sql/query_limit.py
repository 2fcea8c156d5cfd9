"""How long a question that a user words may take: a filter, or an order, that no index helps with.

A page or a terminal waits for the answer, and on SQLite a reader that lasts keeps the log from being cut. What the
driver asks, and what is loaded once it is found, has no limit.
"""

import os
from collections.abc import Mapping

from trackers.conditions import Kind
from trackers.errors import InvalidRecord, QueryTooSlow
from trackers.filters import parse_order
from trackers.records import Query

VARIABLE = "HPO_QUERY_TIMEOUT"
SECONDS = 60.0
"""Over a million trials what people ask takes 1 to 25 s on two busy cores, five conditions on params the longest."""
_SHOWN = 120


def query_limit(given: float | None, *, read_only: bool) -> float:
    """The limit of a store's queries in seconds, infinite for none; what the environment says where none is given."""
    if given is not None:
        return given
    return limit_seconds(os.environ) if read_only else float("inf")


def limit_seconds(environment: Mapping[str, str]) -> float:
    """The limit that `HPO_QUERY_TIMEOUT` sets, else a minute; infinite for 0."""
    text = environment.get(VARIABLE, "")
    try:
        seconds = float(text or SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise InvalidRecord(f"${VARIABLE} must be a number of seconds, 0 for no limit; got {text!r}")
    return seconds or float("inf")


def is_worded_by_a_user(query: Query) -> bool:
    """Whether anything can stand in the query, so that it may take for ever."""
    by_texts = any(parse_order(order).kind in (Kind.PARAM, Kind.TAG) for order in query.order)
    return bool(query.where) or by_texts


def too_slow(query: Query, seconds: float, shown: str) -> QueryTooSlow:
    """The error of a query that was ended."""
    filters = [f"filter {_cut(query.where)}"] if query.where else []
    orders = [f"order by {', '.join(_cut(order.key) for order in query.order)}"] if query.order else []
    return QueryTooSlow(
        f"the {' with '.join(filters + orders)} found no end within {seconds:g} s in {shown}; ask for less: a sweep, "
        "attributes and metrics before params and tags, = before LIKE; or allow more seconds, 0 for no limit: "
        f"{VARIABLE}={max(10 * seconds, 1):.0f}"
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")

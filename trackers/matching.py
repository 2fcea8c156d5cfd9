"""Filters and orders applied to runs in memory: the meaning every store has to agree with."""

import functools
import math
import operator
import re
from collections.abc import Callable, Mapping

from trackers.checks import PARAM
from trackers.conditions import And, Comparison, Condition, Key, Kind, Not, Operator, Or
from trackers.records import Run, Value
from trackers.rows import STATE_OF_STATUS, text_of

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMPARE: Mapping[Operator, Callable[..., bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.DIFFERENT: operator.ne,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.GREATER: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


def matches(condition: Condition, run: Run) -> bool:
    """Whether a run answers a condition."""
    if isinstance(condition, And):
        return all(matches(part, run) for part in condition.parts)
    if isinstance(condition, Or):
        return any(matches(part, run) for part in condition.parts)
    if isinstance(condition, Not):
        return not matches(condition.part, run)
    return _compare(condition, run)


def number_in(text: str | None) -> float | None:
    """The finite number a text looks like, else None."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def is_like(pattern: str | None, text: str | None) -> bool | None:
    """SQL's LIKE with `%` and `_`, minding the case; None where either side is missing."""
    if pattern is None or text is None:
        return None
    return _pattern(pattern).fullmatch(text) is not None


def sort_value(key: Key, run: Run) -> tuple[int, float, str] | None:
    """What a run sorts by, ascending: numbers, then texts; None where it has no such key, or NaN."""
    value = value_of(key, run)
    if value is None:
        return None
    if isinstance(value, str):
        number = number_in(value) if key.kind in (Kind.PARAM, Kind.TAG) else None
        return (1, 0.0, value) if number is None else (0, number, value)
    return (0, float(value), "")


def value_of(key: Key, run: Run) -> float | str | None:
    """The metric, text or attribute of a run that a key names; None where there is none, or NaN."""
    if key.kind is Kind.METRIC:
        number = run.metrics.get(key.name)
        return None if number is None or math.isnan(number) else number
    if key.kind is Kind.PARAM:
        text = text_of(run.params[key.name]) if key.name in run.params else None
        return None if text is None or len(text) > PARAM else text  # longer ones are kept, but not searched
    if key.kind is Kind.TAG:
        return run.tags.get(key.name)
    return _attribute(key.name, run)


def _attribute(name: str, run: Run) -> float | str | None:
    if name in ("status", "name", "started", "ended"):
        plain: Mapping[str, float | str | None] = {
            "status": str(run.status), "name": run.name, "started": run.started, "ended": run.ended,
        }  # fmt: skip
        return plain[name]
    if name == "run_id":
        return run.id
    if run.trial is not None:
        value: Value = getattr(run.trial, name)
        return None if isinstance(value, float) and math.isnan(value) else value
    if name == "state":
        return STATE_OF_STATUS[run.status]
    if name == "seconds" and run.started is not None and run.ended is not None:
        return (run.ended - run.started) / 1000.0
    return None


def _compare(comparison: Comparison, run: Run) -> bool:
    value: float | str | None = value_of(comparison.key, run)
    if comparison.operator is Operator.ABSENT:
        return value is None
    if isinstance(value, str) and comparison.values and not isinstance(comparison.values[0], str):
        value = number_in(value)
    if value is None:
        return False
    if comparison.operator is Operator.PRESENT:
        return True
    if comparison.operator in (Operator.IN, Operator.NOT_IN):
        return (value in comparison.values) is (comparison.operator is Operator.IN)
    wanted = comparison.values[0]
    if comparison.operator.endswith("LIKE"):
        return _like(comparison.operator, str(wanted), str(value))
    return _COMPARE[comparison.operator](value, wanted)


def _like(sign: Operator, pattern: str, text: str) -> bool:
    if sign in (Operator.ILIKE, Operator.NOT_ILIKE):
        pattern, text = pattern.lower(), text.lower()
    return bool(is_like(pattern, text)) is (sign in (Operator.LIKE, Operator.ILIKE))


@functools.lru_cache(maxsize=256)
def _pattern(like: str) -> re.Pattern[str]:
    first, *others = [_literal(part) for part in like.split("%")]
    if not others:
        return re.compile(first, re.DOTALL)
    *middle, last = others
    # each part at its first place, never looked for again (atomic): else a dozen of `%` could take for ever
    found = "".join(f"(?>.*?{part})" for part in middle if part)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


def _literal(part: str) -> str:
    """A part of a pattern without `%`; `_` is any character."""
    return "".join("." if character == "_" else re.escape(character) for character in part)

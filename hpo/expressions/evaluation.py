"""What an expression comes to for given params and metrics, and how far a condition is from being true."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.expressions.tree import (
    All,
    Any,
    Call,
    Chain,
    Expression,
    Literal,
    Member,
    Name,
    Negative,
    Not,
    Series,
    Undefined,
    names_in,
)
from hpo.space import Value

EDGE = 1e-9
"""The least violation: of `a < b` where both are the same, say."""
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "abs": lambda numbers: abs(numbers[0]),
    "log": lambda numbers: math.log(numbers[0]),
    "max": max,
    "min": min,
    "sqrt": lambda numbers: math.sqrt(numbers[0]),
}
_LARGEST_BASE, _LARGEST_POWER = 10**6, 64
"""Whole numbers whose power is taken exactly; others give a float, so no number grows without bound."""


@dataclass(frozen=True)
class Known:
    """What names stand for."""

    params: Mapping[str, Value]
    metrics: Mapping[str, float] = field(default_factory=dict)


def is_true(tree: Expression, known: Known) -> bool:
    """Whether a condition is true; one without a value is not, nor is its opposite."""
    return _truth(tree, known) is True


def value(tree: Expression, known: Known) -> Value:
    """What the expression comes to; Undefined where it comes to nothing, as a division by zero."""
    if isinstance(tree, Literal):
        return tree.value
    if isinstance(tree, Name):
        return _value_of(tree, known)
    if isinstance(tree, Negative | Series | Call):
        return _number(tree, known)
    truth = _truth(tree, known)
    if truth is None:
        raise Undefined("the condition has no value")
    return truth


def violation(tree: Expression, known: Known) -> float:
    """How far a condition is from being true: 0 exactly where it is true, infinite where it has no value.

    Of a comparison it is the distance of both sides, as a share of the side without metrics (of 1 where that is 0, or
    both sides have some), so that those of several conditions can be added. Of `and` it is the sum of the parts, as in
    the constraint violation of Deb (2000, An efficient constraint handling method for genetic algorithms); of `or` the
    smallest one.
    """
    return _violation(tree, known, wanted=True)


def _violation(tree: Expression, known: Known, *, wanted: bool) -> float:
    if isinstance(tree, Not):
        return _violation(tree.operand, known, wanted=not wanted)
    if isinstance(tree, All | Any):
        parts = [_violation(part, known, wanted=wanted) for part in tree.parts]
        return math.fsum(parts) if isinstance(tree, All) is wanted else min(parts)
    if isinstance(tree, Chain):
        pairs = zip(tree.operands, tree.operators, tree.operands[1:], strict=False)
        parts = [_distance(left, sign if wanted else _OPPOSITE[sign], right, known) for left, sign, right in pairs]
        return math.fsum(parts) if wanted else min(parts)
    truth = _truth(tree, known)
    if truth is None:
        return math.inf
    return 0.0 if truth is wanted else 1.0


def _distance(left: Expression, sign: str, right: Expression, known: Known) -> float:
    try:
        ours, theirs = value(left, known), value(right, known)
        if _compared(ours, sign, theirs):
            return 0.0
        if sign == "!=" or not (_is_number(ours) and _is_number(theirs)):
            return 1.0
        distance = abs(float(ours) - float(theirs)) / _scale(left, right, ours, theirs)  # type: ignore[arg-type]  # numbers
    except (Undefined, OverflowError):
        return math.inf
    return max(distance, EDGE) if not math.isnan(distance) else math.inf


def _scale(left: Expression, right: Expression, ours: Value, theirs: Value) -> float:
    measured = [any(name.is_metric for name in names_in(side)) for side in (left, right)]
    if all(measured):
        return 1.0
    return abs(float(theirs if measured[0] else ours)) or 1.0  # type: ignore[arg-type]  # both are numbers


def _truth(tree: Expression, known: Known) -> bool | None:
    """True, false, or None where that cannot be said."""
    if isinstance(tree, Not):
        truth = _truth(tree.operand, known)
        return None if truth is None else not truth
    if isinstance(tree, All | Any):
        return _joined((_truth(part, known) for part in tree.parts), decisive=isinstance(tree, Any))
    if isinstance(tree, Chain):
        pairs = zip(tree.operands, tree.operators, tree.operands[1:], strict=False)
        return _joined((_pair(*pair, known) for pair in pairs), decisive=False)
    try:
        if isinstance(tree, Member):
            found = value(tree.operand, known)
            return any(_same(found, literal.value) for literal in tree.values) is not tree.is_negated
        plain = value(tree, known)
    except Undefined:
        return None
    return plain if isinstance(plain, bool) else None


def _joined(truths: Iterator[bool | None], *, decisive: bool) -> bool | None:
    """What parts come to of which a single one decides, if it is `decisive`; else None where one has no value."""
    found = []
    for truth in truths:
        if truth is decisive:
            return decisive
        found.append(truth)
    return None if None in found else not decisive


def _pair(left: Expression, sign: str, right: Expression, known: Known) -> bool | None:
    try:
        return _compared(value(left, known), sign, value(right, known))
    except Undefined:
        return None


def _compared(left: Value, sign: str, right: Value) -> bool:
    if sign in ("==", "!="):
        return _same(left, right) is (sign == "==")
    if not (_is_number(left) and _is_number(right)):
        raise Undefined("only numbers have an order")
    return _ORDER[sign](left, right)  # type: ignore[arg-type]  # just checked


def _same(left: Value, right: Value) -> bool:
    """Equal as numbers, or as values of one kind: `true` is not 1."""
    if _is_number(left) and _is_number(right):
        return left == right
    return type(left) is type(right) and left == right


def _is_number(found: Value) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _value_of(name: Name, known: Known) -> Value:
    values: Mapping[str, Value] = known.metrics if name.is_metric else known.params
    if name.name not in values:
        raise Undefined(f"{name.name} is missing")
    found = values[name.name]
    if isinstance(found, float) and math.isnan(found):
        raise Undefined(f"{name.name} is no number")
    return found


def _number(tree: Expression, known: Known) -> int | float:
    try:
        found = _calculated(tree, known)
        if isinstance(found, float) and math.isnan(found):
            raise Undefined("the result is no number")
    except (ArithmeticError, ValueError) as error:
        raise Undefined(str(error)) from error
    return found


def _calculated(tree: Expression, known: Known) -> int | float:
    if isinstance(tree, Negative):
        return -_number(tree.operand, known)
    if isinstance(tree, Call):
        return _FUNCTIONS[tree.function]([_number(argument, known) for argument in tree.arguments])
    if isinstance(tree, Series):
        result = _number(tree.first, known)
        for sign, operand in tree.rest:
            other = _number(operand, known)
            result = _power(result, other) if sign == "**" else _ARITHMETIC[sign](result, other)
        return result
    found = value(tree, known)
    if not isinstance(found, int | float) or isinstance(found, bool):
        raise Undefined("only numbers can be reckoned with")
    return found


def _power(base: int | float, exponent: int | float) -> int | float:
    is_exact = isinstance(base, int) and isinstance(exponent, int)
    if is_exact and abs(base) <= _LARGEST_BASE and 0 <= exponent <= _LARGEST_POWER:
        return base ** int(exponent)
    return math.pow(base, exponent)

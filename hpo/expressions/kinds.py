"""What kinds of values an expression can have, and what can be said to be wrong before anything has a value."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from hpo.expressions.tree import (
    All,
    Any,
    Call,
    Chain,
    Expression,
    ExpressionError,
    Literal,
    Member,
    Name,
    Negative,
    Not,
    Series,
)
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Value

Kinds = frozenset[str]
NUMBER, TEXT, TRUTH, NULL = "a number", "a text", "true or false", "null"
EVERY: Kinds = frozenset({NUMBER, TEXT, TRUTH, NULL})
Domains = Mapping[str, Domain | None]
"""What parameters can be, by name; None where that is not known."""


def check(tree: Expression, domains: Domains) -> None:
    """ExpressionError for an unknown parameter, and for what can have no value whatever the parameters are."""
    _expect(tree, TRUTH, domains, "a constraint must be true or false")


def kinds(tree: Expression, domains: Domains) -> Kinds:
    """The kinds of values the expression can have, all in it checked."""
    if isinstance(tree, Literal):
        return frozenset({_kind(tree.value)})
    if isinstance(tree, Name):
        return _kinds_of(tree, domains)
    if isinstance(tree, Negative | Series | Call):
        for operand, what in _numbers_in(tree):
            _expect(operand, NUMBER, domains, f"{what} needs numbers")
        return frozenset({NUMBER})
    if isinstance(tree, Chain):
        _check_chain(tree, domains)
    elif isinstance(tree, Member):
        for literal in tree.values:
            _check_equal(tree.operand, literal, domains, tree.column)
    else:
        word = "not" if isinstance(tree, Not) else "and" if isinstance(tree, All) else "or"
        for part in (tree.operand,) if isinstance(tree, Not) else tree.parts:
            _expect(part, TRUTH, domains, f"'{word}' needs conditions, which are true or false")
    return frozenset({TRUTH})


def _numbers_in(tree: Negative | Series | Call) -> Iterator[tuple[Expression, str]]:
    if isinstance(tree, Negative):
        yield tree.operand, "'-'"
    elif isinstance(tree, Call):
        yield from ((argument, tree.function) for argument in tree.arguments)
    else:
        yield tree.first, f"'{tree.rest[0][0]}'"
        yield from ((operand, f"'{sign}'") for sign, operand in tree.rest)


def _expect(tree: Expression, kind: str, domains: Domains, rule: str) -> None:
    found = kinds(tree, domains)
    if kind not in found:
        raise ExpressionError(f"{rule}, and {_shown(tree)} is {_listed(found)}", _column(tree))


def _check_chain(tree: Chain, domains: Domains) -> None:
    for left, sign, right in zip(tree.operands, tree.operators, tree.operands[1:], strict=False):
        if sign in ("==", "!="):
            _check_equal(left, right, domains, tree.column)
        else:
            for side in (left, right):
                _expect(side, NUMBER, domains, f"'{sign}' compares numbers")


def _check_equal(left: Expression, right: Expression, domains: Domains, column: int) -> None:
    ours, theirs = kinds(left, domains), kinds(right, domains)
    if not ours & theirs:
        message = f"{_shown(left)} is {_listed(ours)} and {_shown(right)} is {_listed(theirs)}: they are never equal"
        raise ExpressionError(message, column)
    for name, literal in ((left, right), (right, left)):
        if isinstance(name, Name) and isinstance(literal, Literal) and not name.is_metric:
            _check_possible(name, literal, domains.get(name.name))


def _check_possible(name: Name, literal: Literal, domain: Domain | None) -> None:
    if not isinstance(domain, Choice | Constant):
        return
    choices = domain.choices if isinstance(domain, Choice) else (domain.value,)
    if not any(_kind(choice) == _kind(literal.value) and choice == literal.value for choice in choices):
        words = [choice for choice in choices if isinstance(choice, str)]
        near = get_close_matches(str(literal.value)[:100], words, 1) if isinstance(literal.value, str) else []
        hint = f" - did you mean '{near[0]}'?" if near else f"; it is one of {_few(choices)}"
        raise ExpressionError(f"{name.name} is never {_written(literal.value)}{hint}", literal.column)


def _kinds_of(name: Name, domains: Domains) -> Kinds:
    if name.is_metric:
        return frozenset({NUMBER})
    if name.name not in domains:
        raise ExpressionError(f"no parameter '{name.name[:60]}'{_hint(name.name, domains)}", name.column)
    domain = domains[name.name]
    if isinstance(domain, FloatRange | IntRange):
        return frozenset({NUMBER})
    if isinstance(domain, Choice):
        return frozenset(map(_kind, domain.choices))
    return EVERY if domain is None else frozenset({_kind(domain.value)})


def _hint(name: str, domains: Domains) -> str:
    by_lower = {known.lower(): known for known in domains}
    near = get_close_matches(name.lower()[:100], by_lower, 1)
    if near:
        return f" - did you mean '{by_lower[near[0]]}'?"
    return f"; there are {_few(list(domains))}, and metrics.NAME for what is measured"


def _kind(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return NULL if value is None else TRUTH
    return TEXT if isinstance(value, str) else NUMBER


def _listed(found: Kinds) -> str:
    return " or ".join(sorted(found))


def _few(values: Sequence[Value], most: int = 12) -> str:
    shown = ", ".join(str(value)[:40] if isinstance(value, str) else _written(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown}, .."


def _written(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value[:60]}'" if isinstance(value, str) else repr(value)


def _shown(tree: Expression) -> str:
    if isinstance(tree, Name):
        return f"{'metrics.' if tree.is_metric else ''}{tree.name[:60]}"
    return _written(tree.value) if isinstance(tree, Literal) else "this"


def _column(tree: Expression) -> int:
    """Where an expression begins."""
    if isinstance(tree, Series):
        return _column(tree.first)
    if isinstance(tree, Chain):
        return _column(tree.operands[0])
    if isinstance(tree, Member):
        return _column(tree.operand)
    return _column(tree.parts[0]) if isinstance(tree, All | Any) else tree.column

"""What an expression is made of."""

from dataclasses import dataclass

from hpo.errors import ConfigError
from hpo.space import Value


class ExpressionError(ConfigError):
    """A text is no expression, or one that cannot make sense; `column` counts its characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"at column {column}: {message}")
        self.column = column


class Undefined(Exception):
    """An expression has no value here, such as a division by zero; says why."""


@dataclass(frozen=True)
class Literal:
    """A number, a text, true, false or null."""

    value: Value
    column: int


@dataclass(frozen=True)
class Name:
    """The value of a parameter, or of a metric."""

    name: str
    is_metric: bool
    column: int


@dataclass(frozen=True)
class Negative:
    """The number below zero that another one is above it."""

    operand: "Expression"
    column: int


@dataclass(frozen=True)
class Series:
    """Numbers joined from left to right by operators of one rank: + and -, or * / // and %, or one **."""

    first: "Expression"
    rest: tuple[tuple[str, "Expression"], ...]
    column: int


@dataclass(frozen=True)
class Call:
    """One of the known functions."""

    function: str
    arguments: tuple["Expression", ...]
    column: int


@dataclass(frozen=True)
class Chain:
    """Comparisons that must all hold: `0 < a <= b`."""

    operands: tuple["Expression", ...]
    operators: tuple[str, ...]
    column: int


@dataclass(frozen=True)
class Member:
    """Whether a value is in a list; with `is_negated`, whether it is not."""

    operand: "Expression"
    values: tuple[Literal, ...]
    is_negated: bool
    column: int


@dataclass(frozen=True)
class Not:
    """The opposite."""

    operand: "Expression"
    column: int


@dataclass(frozen=True)
class All:
    """True where each part is."""

    parts: tuple["Expression", ...]
    column: int


@dataclass(frozen=True)
class Any:
    """True where at least one part is."""

    parts: tuple["Expression", ...]
    column: int


Expression = Literal | Name | Negative | Series | Call | Chain | Member | Not | All | Any


def children(tree: Expression) -> tuple[Expression, ...]:
    """The expressions that one is made of."""
    if isinstance(tree, Negative | Not):
        return (tree.operand,)
    if isinstance(tree, Series):
        return (tree.first, *(operand for _, operand in tree.rest))
    if isinstance(tree, Call):
        return tree.arguments
    if isinstance(tree, Chain):
        return tree.operands
    if isinstance(tree, Member):
        return (tree.operand, *tree.values)
    return tree.parts if isinstance(tree, All | Any) else ()


def names_in(tree: Expression) -> tuple[Name, ...]:
    """Every name, in the order of the text."""
    own = (tree,) if isinstance(tree, Name) else ()
    return (*own, *(name for part in children(tree) for name in names_in(part)))

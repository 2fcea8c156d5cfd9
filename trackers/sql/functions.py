"""SQL functions whose meaning is the same on every database, whatever the database calls them or lacks.

On SQLite they are functions that each connection of ours knows (see `trackers.matching`), on PostgreSQL expressions.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Column = sa.ColumnElement[Any]  # SQL has its own types

_PLAIN = r"^[+-]?[0-9]{1,200}(\.[0-9]{0,99})?([eE][+-]?[0-9]{1,2})?$"
"""Numbers that a double can hold, whatever their digits; nearly all there are."""
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_ZERO = r"^[+-]?[0.]+([eE]|$)"
_FAR = 8330
"""Exponents beyond make any text of at most 8000 digits infinite, or zero; `numeric` holds all that are nearer."""
_INFINITE = "1.797693134862315807937e308"
"""From here on a number is nearer to infinity than to the largest double."""
_NOTHING = "2.4703282292062327e-324"
"""Up to here a number is nearer to zero than to the smallest double."""


class number_in(FunctionElement[float]):  # noqa: N801  # as SQLAlchemy names functions
    """The finite number a text looks like, else NULL (`matching.number_in`)."""

    type = sa.Double()
    inherit_cache = True
    name = "number_in"


class code_points(FunctionElement[str]):  # noqa: N801
    """A text that compares and sorts by code point, whatever language the database speaks."""

    type = sa.String()
    inherit_cache = True
    name = "code_points"


class small_letters(FunctionElement[str]):  # noqa: N801
    """A text in small letters, of every alphabet."""

    type = sa.String()
    inherit_cache = True
    name = "small_letters"


class is_like(FunctionElement[bool]):  # noqa: N801
    """LIKE with `%` and `_` and no other special character, minding the case (`matching.is_like`)."""

    type = sa.Boolean()
    inherit_cache = True
    name = "is_like"


class seldom(FunctionElement[Any]):  # noqa: N801
    """The condition itself; SQLite's planner is told that few rows meet it, so that it takes the index on them."""

    type = sa.types.NullType()  # a Boolean is written `.. = 1`, which hides it from the planner
    inherit_cache = True
    name = "seldom"


@compiles(number_in)
def _number_in(element: number_in, compiler: SQLCompiler, **options: Any) -> str:
    """Whole numbers below 2**63 by SQLite itself, which makes the same doubles of them: Python takes twice as long."""
    text = _inner(element, compiler, options)  # a column: what it is made of stands here several times
    whole = f"CAST({text} AS INTEGER)"
    return f"CASE WHEN CAST({whole} AS TEXT) = {text} THEN CAST({whole} AS REAL) ELSE hpo_number({text}) END"


@compiles(number_in, "postgresql")
def _number_in_on_postgres(element: number_in, compiler: SQLCompiler, **options: Any) -> str:
    [text] = element.clauses
    return str(compiler.process(_number(text), **options))


@compiles(seldom)
def _seldom(element: seldom, compiler: SQLCompiler, **options: Any) -> str:
    return f"likelihood({_inner(element, compiler, options)}, 0.00001)"


@compiles(seldom, "postgresql")
def _seldom_on_postgres(element: seldom, compiler: SQLCompiler, **options: Any) -> str:
    return f"({_inner(element, compiler, options)})"


@compiles(code_points)
def _code_points(element: code_points, compiler: SQLCompiler, **options: Any) -> str:
    return _inner(element, compiler, options)


@compiles(code_points, "postgresql")
def _code_points_on_postgres(element: code_points, compiler: SQLCompiler, **options: Any) -> str:
    return f'({_inner(element, compiler, options)} COLLATE "C")'


@compiles(small_letters)
def _small_letters(element: small_letters, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({_inner(element, compiler, options)})"


@compiles(small_letters, "postgresql")
def _small_letters_on_postgres(element: small_letters, compiler: SQLCompiler, **options: Any) -> str:
    """A collation that the server brings since 17 and 18; before, the database's own knows its language's letters."""
    version = getattr(compiler.dialect, "server_version_info", None) or (0,)
    collation = "pg_unicode_fast" if version >= (18,) else "pg_c_utf8" if version >= (17,) else ""
    inner = _inner(element, compiler, options)
    return f"lower({inner} COLLATE {collation})" if collation else f"lower({inner})"


@compiles(is_like)
def _is_like(element: is_like, compiler: SQLCompiler, **options: Any) -> str:
    text, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} LIKE {pattern})"


@compiles(is_like, "postgresql")
def _is_like_on_postgres(element: is_like, compiler: SQLCompiler, **options: Any) -> str:
    text, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} LIKE {pattern} ESCAPE '')"


def _inner(element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]) -> str:
    return str(compiler.process(next(iter(element.clauses)), **options))


def _number(text: Column) -> Column:
    """In CASEs, each of which guards the casts below it: PostgreSQL refuses a text that no double can hold."""
    digits = sa.cast(text, sa.Numeric)
    exponent = sa.cast(sa.func.substring(text, sa.literal_column("'[eE]([+-]?[0-9]+)$'")), sa.Numeric)
    size = sa.func.abs(digits)
    held = sa.case(
        (size >= _numeric(_INFINITE), sa.null()),
        (size <= _numeric(_NOTHING), sa.literal_column("0.0")),
        else_=sa.cast(text, sa.Double),
    )
    near = sa.case(
        (exponent > _FAR, sa.null()),
        (exponent < -_FAR, sa.literal_column("0.0")),
        else_=held,
    )
    any_number = sa.case(
        (_matches(text, _ZERO), sa.literal_column("0.0")),
        else_=near,
    )
    return sa.case(
        (_matches(text, _PLAIN), sa.cast(text, sa.Double)),
        (_matches(text, _NUMBER), any_number),
        else_=sa.null(),
    )


def _matches(text: Column, pattern: str) -> sa.ColumnElement[bool]:
    return text.op("~", is_comparison=True)(sa.literal_column(f"'{pattern}'"))


def _numeric(text: str) -> Column:
    return sa.cast(sa.literal_column(f"'{text}'"), sa.Numeric)

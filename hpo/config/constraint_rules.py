"""The rules of constraints: each must be a condition that can be true or false for the parameters there are."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from hpo.config.fields import Text
from hpo.config.nearest import did_you_mean
from hpo.config.parameters import Ranged, domain_of
from hpo.constraints import Constraint, constraint_of
from hpo.expressions.kinds import check
from hpo.expressions.tokens import LONGEST
from hpo.expressions.tree import ExpressionError
from hpo.space import Value

ConstraintText = Annotated[Text, Field(max_length=LONGEST)]
Constraints = Annotated[list[ConstraintText], Field(max_length=100)]


def constraint_faults(
    constraints: Sequence[str],
    specs: Mapping[str, Ranged | Value],
    names: Sequence[str],
    measured: Collection[str] | None,
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with constraints, and where.

    `names` are all parameters, `specs` those that are right by themselves, `measured` the metrics where they are known.
    """
    domains = {name: domain_of(specs[name]) if name in specs else None for name in names}
    for position, text in enumerate(constraints):
        at = ("constraints", position)
        if text in constraints[:position]:
            yield at, "stands there twice"
        try:
            constraint = constraint_of(text)
            check(constraint.tree, domains)
        except ExpressionError as error:
            yield at, str(error)
            continue
        yield from ((at, fault) for fault in _unmeasured(constraint, measured))


def _unmeasured(constraint: Constraint, measured: Collection[str] | None) -> Iterator[str]:
    for name in constraint.metrics if measured is not None else ():
        if name not in (measured or ()):
            known = sorted(measured or ())
            yield f"'{name}' is not measured; there is {', '.join(known)}{did_you_mean(name, known)}"

"""Constraints: what a trial's params must satisfy before it runs, and its metrics afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hpo.expressions.evaluation import Known, is_true, violation
from hpo.expressions.parser import parse
from hpo.expressions.tree import Expression, ExpressionError, names_in
from hpo.space import Params

VIOLATION = "hpo.violation"
"""The metric of a complete trial that says how far it is from the measured constraints: 0 where it satisfies them."""
INFEASIBLE_TAG = "hpo.infeasible"
"""On a complete trial that does not satisfy them: which it breaks, and by what."""
_LONGEST = 1000


@dataclass(frozen=True)
class Constraint:
    """A condition on params, and on metrics where it names some (`metrics.NAME`)."""

    text: str
    tree: Expression

    @cached_property
    def params(self) -> frozenset[str]:
        """The parameters it names."""
        return frozenset(name.name for name in names_in(self.tree) if not name.is_metric)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it names, in the order of the text."""
        return tuple(dict.fromkeys(name.name for name in names_in(self.tree) if name.is_metric))

    @property
    def is_measured(self) -> bool:
        """Whether it can be judged only once a trial has ended."""
        return bool(self.metrics)

    def holds(self, params: Params) -> bool:
        """Whether params satisfy it; where a parameter it names is inactive they do, where it has no value not."""
        return not self.params <= params.keys() or is_true(self.tree, Known(params))

    def violation(self, params: Params, metrics: Mapping[str, float]) -> float:
        """How far a trial is from satisfying it, 0 where it does; infinite where that has no value."""
        return violation(self.tree, Known(params, metrics)) if self.params <= params.keys() else 0.0


def constraint_of(text: str) -> Constraint:
    """What a text asks for; ExpressionError where it is no condition on a parameter or metric."""
    constraint = Constraint(text, parse(text))
    if not constraint.params and not constraint.metrics:
        raise ExpressionError("names no parameter and no metric, so it is the same for all trials", 1)
    return constraint


def feasible(constraints: Sequence[Constraint], params: Params) -> bool:
    """Whether params satisfy all constraints that can be judged before a trial runs."""
    return all(constraint.is_measured or constraint.holds(params) for constraint in constraints)


@dataclass(frozen=True)
class Judged:
    """How far a trial is from the measured constraints, and which of them it breaks by what, in words."""

    violation: float
    text: str = ""


def judged(constraints: Sequence[Constraint], params: Params, metrics: Mapping[str, float]) -> Judged | None:
    """What the measured constraints say of a trial that ended; None where there are none."""
    measured = [constraint for constraint in constraints if constraint.is_measured]
    if not measured:
        return None
    broken = {c.text: far for c in measured if (far := c.violation(params, metrics))}
    said = [_said(constraint, metrics) for constraint in measured if constraint.text in broken]
    text = "; ".join(said)
    return Judged(sum(broken.values()), text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..")


def _said(constraint: Constraint, metrics: Mapping[str, float]) -> str:
    values = (f"{name} {f'is {metrics[name]:.6g}' if name in metrics else 'is missing'}" for name in constraint.metrics)
    return f"{constraint.text} ({', '.join(values)})"

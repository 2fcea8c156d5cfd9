"""The constraints of a sweep on record, and which of its trials satisfy those on metrics."""

import json
import math
from collections.abc import Sequence

from hpo.constraints import INFEASIBLE_TAG, VIOLATION, Constraint, constraint_of
from hpo.expressions.tree import ExpressionError
from trackers.records import Run, SweepFacts

FEASIBLE = f"metrics.`{VIOLATION}` = 0"
"""The filter of trials that satisfy the measured constraints of their sweep."""


def constraints_on_record(facts: SweepFacts | None) -> Sequence[Constraint]:
    """The constraints of a sweep; none for a run that is no sweep of ours."""
    return constraints_in(facts.config) if facts else ()


def constraints_in(config: str) -> Sequence[Constraint]:
    """The constraints in a sweep's configuration as it is recorded."""
    given = json.loads(config).get("constraints") if '"constraints"' in config else None
    try:
        return [constraint_of(text) for text in given or ()]
    except ExpressionError:  # a later version may read more than this one
        return []


def is_measured(facts: SweepFacts | None) -> bool:
    """Whether the sweep's trials are judged by constraints on their metrics."""
    return any(constraint.is_measured for constraint in constraints_on_record(facts))


def violation_of(run: Run) -> float:
    """How far a complete trial of such a sweep is from the constraints; infinite where that could not be told."""
    return run.metrics.get(VIOLATION, math.inf)


def broken_text(run: Run) -> str:
    """What a trial that violates them breaks, and by what, as it was recorded."""
    return run.tags.get(INFEASIBLE_TAG) or "it is not known how far it is from the constraints"

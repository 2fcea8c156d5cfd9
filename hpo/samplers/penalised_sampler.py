"""Tells a sampler that knows no constraints on metrics of them by the values it learns from."""

import math
from collections.abc import Sequence
from dataclasses import replace

from hpo.sampler import Sampler
from hpo.samplers.told_value import told_value
from hpo.space import Params
from hpo.trial import Goal, Result, State, Trial

READS_VIOLATIONS = frozenset({("optuna", "tpe"), ("optuna", "nsga2")})
"""Samplers that put trials which violate constraints behind all others by themselves."""
_FARTHEST = 10.0
"""Violations above it count as this one, lest a single trial dwarfs all differences between values."""


class PenalisedSampler:
    """Tells `rest` of a trial that violates constraints a value beyond the worst feasible one told so far.

    By how much grows with the violation, in units of the spread of the values told: f_max + violation * (f_max -
    f_min), after Deb (2000), "An efficient constraint handling method for genetic algorithms", Computer Methods in
    Applied Mechanics and Engineering 186, whose penalty is f_max + violation. Until a feasible trial is told, f_max is
    the worst value of all. A trial whose violation cannot be told counts as failed.
    """

    def __init__(self, rest: Sampler, goal: Goal) -> None:
        self._rest = rest
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._worst_feasible: float | None = None
        self._lowest: float | None = None
        self._highest: float | None = None

    def ask(self, numbers: range) -> Sequence[Params]:
        """What `rest` answers."""
        return self._rest.ask(numbers)

    def redraw(self, number: int, attempt: int) -> Params | None:
        """What `rest` answers."""
        return self._rest.redraw(number, attempt)

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        self._rest.tell(trial, self._penalised(result))

    def _penalised(self, result: Result) -> Result:
        value = told_value(result)
        if value is None:
            return result
        loss = self._sign * value
        self._lowest = loss if self._lowest is None else min(self._lowest, loss)
        self._highest = loss if self._highest is None else max(self._highest, loss)
        if not result.violation:
            worst = self._worst_feasible
            self._worst_feasible = loss if worst is None else max(worst, loss)
            return result
        if not math.isfinite(result.violation):
            return replace(result, state=State.FAILED, value=None, violation=None)
        worst = self._highest if self._worst_feasible is None else self._worst_feasible
        spread = (self._highest - self._lowest) or 1.0
        return replace(result, value=self._sign * (worst + min(result.violation, _FARTHEST) * spread), violation=None)


_: type[Sampler] = PenalisedSampler

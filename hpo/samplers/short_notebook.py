"""A shortlist of told trials as optuna's storage, so that its tpe does not get slower with every trial."""

import math
from collections.abc import Container

from optuna.trial import FrozenTrial, TrialState

from hpo.samplers.optuna_study import Notebook
from hpo.samplers.shortlist import LIMIT, Rank, Shortlist
from hpo.trial import Goal


class ShortNotebook(Notebook):
    """Shows the best trials and a sample of the others, as many as `limit`; failed ones, which tpe ignores, never.

    Best is what tpe itself takes for good, so that its split is the one that all trials would give.
    """

    def __init__(self, goal: Goal, limit: int = LIMIT) -> None:
        super().__init__()
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._shortlist: Shortlist[FrozenTrial] = Shortlist(limit)
        self._shown: list[FrozenTrial] | None = []

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:  # noqa: ARG002  # only one
        """Takes in a told trial; the number it gets counts the trials that ended with something to learn from."""
        if template_trial is None:
            raise ValueError("told trials alone are kept here")
        number = self._shortlist.added
        if template_trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            template_trial.number = number
            self._shortlist.add(rank(template_trial, self._sign), template_trial)
            self._shown = None
        return number

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002
        deepcopy: bool = True,  # noqa: ARG002  # who looks at them changes nothing
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials to look at, by number."""
        if self._shown is None:
            self._shown = self._shortlist.items()
        return [trial for trial in self._shown if states is None or trial.state in states]


def rank(trial: FrozenTrial, sign: float) -> Rank:
    """How good tpe takes a trial for, the lower the better (optuna.samplers.TPESampler, `_split_trials`).

    Complete trials go by value, pruned ones come after them by how far they got and how well they did there, and those
    that violate a constraint last.
    """
    violation = sum(value for value in trial.constraints.values() if value > 0)
    if violation > 0:
        return 2, violation
    if trial.value is not None:
        return 0, sign * trial.value
    if not trial.intermediate_values:
        return 1, 1, 0
    step, value = max(trial.intermediate_values.items())
    return 1, -step, math.inf if math.isnan(value) else sign * value

"""Where cmaes begins if trials are known that it did not ask for."""

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.samplers.optuna_axes import Group
from hpo.trial import Goal

SHARE = 10
"""cmaes begins round the best tenth of what is known."""


class CmaesSource:
    """Known trials as optuna's `source_trials`: the parameters that cmaes models, and the value.

    They say where the first generation lies and how wide it is (Nomura et al. 2021, "Warm starting CMA-ES for
    hyperparameter optimization", AAAI 35). Of fewer than ten the best alone does.
    """

    def __init__(self, goal: Goal, group: Group) -> None:
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._group = dict(group)
        self._trials: list[FrozenTrial] = []

    def add(self, params: Mapping[str, object], value: float) -> None:
        """Takes in a known trial, its params as optuna sees them."""
        own = {name: params[name] for name in self._group}
        trial = create_trial(state=TrialState.COMPLETE, value=value, params=own, distributions=self._group)
        self._trials.append(trial)

    @property
    def trials(self) -> Sequence[FrozenTrial]:
        """What to hand to optuna; empty where nothing is known."""
        if 0 < len(self._trials) < SHARE:
            return [min(self._trials, key=lambda trial: self._sign * (trial.value or 0.0))] * SHARE
        return self._trials

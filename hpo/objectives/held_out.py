"""Scoring a winner on the held-out test part, as an objective of its own."""

from dataclasses import dataclass

from hpo.objective import HeldOut, Objective, TrialContext
from hpo.space import Params
from hpo.trial import Metrics


@dataclass(frozen=True)
class HeldOutScore:
    """Evaluates params on test data that no trial saw."""

    held_out: HeldOut

    def __call__(self, params: Params, trial: TrialContext) -> Metrics:
        """The test metrics."""
        return self.held_out.score_test(params, trial.seed)


_: type[Objective] = HeldOutScore

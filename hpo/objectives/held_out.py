"""Scoring finalists, and who they have to beat, on held-out test data, as an objective of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo.errors import ObjectiveError
from hpo.objective import HeldOut, ModelJudge, ModelSource, Objective, TrialContext
from hpo.space import Params
from hpo.trial import Metrics


@dataclass(frozen=True)
class HeldOutScore:
    """Scores the kept model of a trial's number in `models`; for any other trial what its params give again."""

    judge: HeldOut | ModelJudge
    models: Mapping[int, ModelSource] = field(default_factory=dict)

    def prepare(self) -> None:
        """Gets ready who judges."""
        prepare = getattr(self.judge, "prepare", None)
        if prepare is not None:
            prepare()

    def __call__(self, params: Params, trial: TrialContext) -> Metrics:
        """The test metrics."""
        source = self.models.get(trial.number)
        if source is not None:
            return self.judge.score_model(source.load())
        score_test = getattr(self.judge, "score_test", None)
        if score_test is None:
            raise ObjectiveError("only kept models can be judged here, and there is none of this trial")
        metrics: Metrics = score_test(params, trial.seed)
        return metrics


_: type[Objective] = HeldOutScore

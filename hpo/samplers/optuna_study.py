"""An optuna study of told trials alone, looked at afresh each time, and free of noise."""

from collections.abc import Container, Mapping, Sequence

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.quiet_optuna import quiet
from hpo.samplers.optuna_axes import Axis, encode
from hpo.samplers.told_value import told_values
from hpo.space import Params
from hpo.trial import Goal, Result, State, Trial

_NAME = "told"
Notes = dict[str, object]


class ToldStudy:
    """Told trials, and the trial that is being asked for, which is never among them.

    `others` are the goals of the metrics after the first.
    """

    def __init__(self, goal: Goal, notebook: "Notebook | None" = None, others: Sequence[Goal] = ()) -> None:
        self._storage = notebook or Notebook()
        with quiet():
            self._study = optuna.create_study(
                study_name=_NAME, storage=self._storage, directions=[each.value for each in (goal, *others)]
            )
        self.asked: FrozenTrial = create_trial(state=TrialState.RUNNING)

    def look(self, sampler: BaseSampler) -> Study:
        """The study as it is now: one that is kept would go on with the trials it saw first."""
        return optuna.load_study(study_name=_NAME, storage=self._storage, sampler=sampler)

    def take_notes(self) -> Notes:
        """What samplers wrote about the asked trial since the last call."""
        notes, self._storage.notes = self._storage.notes, {}
        return notes

    def show_open(self, axes: Mapping[str, Axis], points: Sequence[Params]) -> None:
        """From now on trials of these points are seen to run; of optuna's samplers gp alone looks at such."""
        self._storage.open = [_running(axes, point) for point in points]

    def add(self, axes: Mapping[str, Axis], trial: Trial, result: Result, notes: Notes) -> None:
        """Takes in an ended trial together with what its sampler wrote about it when it was asked for."""
        params = encode(axes, trial.params)
        values = told_values(result)
        state = TrialState.COMPLETE if values is not None else TrialState.FAIL
        if result.state is State.PRUNED:
            state = TrialState.PRUNED
        self._study.add_trial(
            create_trial(
                state=state,
                values=values,
                params=params,
                distributions={name: axes[name].distribution for name in params},
                system_attrs={**notes, **_constraint(result)},
                intermediate_values=dict(result.curve) if state is TrialState.PRUNED else None,
            )
        )


def _constraint(result: Result) -> Notes:
    """How far the trial is from its constraints, where optuna's samplers look for it."""
    return {} if result.violation is None else {"constraints:violation": result.violation}


def _running(axes: Mapping[str, Axis], point: Params) -> FrozenTrial:
    params = encode(axes, point)
    distributions = {name: axes[name].distribution for name in params}
    return create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)


class Notebook(InMemoryStorage):
    """Keeps what is written about the asked trial, which it does not hold, and shows open ones beside the told."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: Notes = {}
        self.open: list[FrozenTrial] = []

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The told trials, then the open ones that are to be seen."""
        told = super().get_all_trials(study_id, deepcopy, states)
        return told + [trial for trial in self.open if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:  # noqa: ARG002  # only one is asked for
        """Keeps the note until it is taken."""
        self.notes[key] = value

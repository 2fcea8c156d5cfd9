"""An optuna study of told trials, as much of it as one trial may know."""

from bisect import bisect_right
from collections.abc import Container, Mapping

import optuna
from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.quiet_optuna import quiet
from hpo.trial import Curve, Goal, Result, State, Trial

Notes = dict[str, object]
_STATES = {State.COMPLETE: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


class ToldTrials:
    """Told trials in the order told; the trial that is judged is never among them.

    The study's name decides the brackets of hyperband, so it stands for the seed.
    """

    def __init__(self, goal: Goal, seed: int) -> None:
        self._view = _View(goal)
        with quiet():
            self._study = optuna.create_study(
                study_name=f"hpo-{seed}", storage=self._view, direction=goal.value, pruner=optuna.pruners.NopPruner()
            )
        self.first_finisher: tuple[int, int] | None = None
        """How many trials were told before the first complete one that had reported, and its last step."""

    def __len__(self) -> int:
        return len(self._view.trials)

    def count_up_to(self, number: int) -> int:
        """How many of them have this number at most; they must have been told in number order."""
        return bisect_right(self._view.trials, number, key=lambda trial: trial.number)

    def look(self, count: int) -> Study:
        """The study with the first `count` of them."""
        self._view.count = count
        return self._study

    def take_notes(self) -> Notes:
        """What a rule wrote about the judged trial since the last call."""
        notes, self._view.notes = self._view.notes, {}
        return notes

    def add(self, trial: Trial, result: Result, notes: Notes) -> None:
        """Takes in an ended trial with what rules wrote about it."""
        if result.state is State.COMPLETE and result.curve and self.first_finisher is None:
            self.first_finisher = len(self), max(result.curve)
        self._view.add(_frozen(trial, result.curve, notes, _STATES[result.state], result.value))

    def judged(self, trial: Trial, reported: Curve, notes: Notes) -> FrozenTrial:
        """A running trial as rules see it."""
        return _frozen(trial, reported, notes, TrialState.RUNNING, None)


def _frozen(
    trial: Trial, reported: Curve, notes: Mapping[str, object], state: TrialState, value: float | None
) -> FrozenTrial:
    return FrozenTrial(
        number=trial.number,
        state=state,
        value=value,
        datetime_start=None,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs=dict(notes),
        intermediate_values=reported,  # type: ignore[arg-type]  # nobody changes it
        trial_id=trial.number,
    )


class _View(InMemoryStorage):
    """Shows the first `count` trials, and keeps what is written about the judged trial, which it does not hold."""

    def __init__(self, goal: Goal) -> None:
        super().__init__()
        self._goal = goal
        self.trials: list[FrozenTrial] = []
        self._complete: list[FrozenTrial] = []
        self._complete_before: list[int] = [0]
        self._best_after: list[FrozenTrial | None] = [None]
        self.count = 0
        self.notes: Notes = {}

    def add(self, trial: FrozenTrial) -> None:
        best = self._best_after[-1]
        if trial.state is TrialState.COMPLETE:
            self._complete.append(trial)
            if best is None or self._goal.better(trial.value or 0.0, best.value):
                best = trial
        self.trials.append(trial)
        self._complete_before.append(len(self._complete))
        self._best_after.append(best)

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002  # there is one study
        deepcopy: bool = True,  # noqa: ARG002  # pruners never ask for it
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        if states == (TrialState.COMPLETE,):
            return self._complete[: self._complete_before[self.count]]
        seen = self.trials[: self.count]
        return seen if states is None else [trial for trial in seen if trial.state in states]

    def get_best_trial(self, study_id: int) -> FrozenTrial:  # noqa: ARG002  # there is one study
        best = self._best_after[self.count]
        if best is None:
            raise ValueError("no trial is complete")
        return best

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:  # noqa: ARG002  # only one is judged
        self.notes[key] = value

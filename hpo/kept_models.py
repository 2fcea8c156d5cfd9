"""Which models a sweep keeps while it searches: those of its best k trials, or of its front."""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hpo.front import FrontSoFar, Values
from hpo.trial import Goal, Trial
from trackers.records import LoggedModel, RunUpdated


@dataclass(frozen=True)
class Kept:
    """A complete trial among the best, and the models it keeps."""

    trial: Trial
    value: float
    models: Sequence[LoggedModel]


class ModelKeeping(Protocol):
    """Decides whose models a sweep keeps while it searches."""

    def place(self, trial: Trial) -> Trial:
        """The trial, told what it must reach for its models to be kept."""
        ...

    def add(
        self, trial: Trial, value: float | None, models: Sequence[LoggedModel], values: Values = ()
    ) -> list[RunUpdated]:
        """Takes in an ended trial; the changes that take models off the record which are not kept any more."""
        ...

    def delete_dropped(self) -> None:
        """Removes the files of what was dropped; called once that is on record."""
        ...


class LetGo:
    """Models that are not kept any more: off the record first, then off the disk.

    `delete` removes a folder below a trial's artifacts. What `is_registered` says of a run is asked each time its
    models are about to go: somebody may have registered them a moment ago.
    """

    def __init__(self, delete: Callable[[Trial, str], None], is_registered: Callable[[str], bool]) -> None:
        self._delete = delete
        self._is_registered = is_registered
        self._dropped: list[tuple[Trial, Sequence[LoggedModel]]] = []

    def drop(self, trial: Trial, models: Sequence[LoggedModel]) -> list[RunUpdated]:
        """The change that takes the models off the record, where there is something to take off."""
        if not models or self._is_registered(trial.run_id):
            return []
        self._dropped.append((trial, models))
        return [
            RunUpdated(
                trial.run_id,
                removed_models=[model.model_id for model in models],
                removed_artifacts=[f"{model.path}/" for model in models],
            )
        ]

    def delete_dropped(self) -> None:
        """Removes their files; called once that they are dropped is on record."""
        for trial, models in self._dropped:
            if not self._is_registered(trial.run_id):
                for model in models:
                    self._delete(trial, model.path)
        self._dropped.clear()


class KeptModels:
    """Follows the best k trials and lets go of the models of all others.

    `keep` None keeps every model, 0 none; `delete` and `is_registered` as for `LetGo`.
    """

    def __init__(
        self,
        keep: int | None,
        goal: Goal,
        delete: Callable[[Trial, str], None],
        is_registered: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._keep = keep
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._let_go = LetGo(delete, is_registered)
        self._best: list[Kept] = []

    def place(self, trial: Trial) -> Trial:
        """The trial with its bar."""
        return replace(trial, bar=self.bar())

    def bar(self) -> float | None:
        """What a trial that starts now must reach for its models to be kept (see `Trial.bar`).

        The k-th best value only gets better, so a trial below it today can never be among the best k.
        """
        if self._keep is None:
            return None
        if self._keep == 0:
            return math.nan
        return self._best[-1].value if len(self._best) >= self._keep else None

    def add(
        self,
        trial: Trial,
        value: float | None,
        models: Sequence[LoggedModel],
        values: Values = (),  # noqa: ARG002  # there is one
    ) -> list[RunUpdated]:
        """Takes in an ended trial; the changes that take models off the record that are not among the best any more."""
        if self._keep is None or (value is None and not models):
            return []
        if value is None or self._keep == 0:
            return self._let_go.drop(trial, models)
        bisect.insort(self._best, Kept(trial, value, models), key=self._rank)
        if len(self._best) <= self._keep:
            return []
        last = self._best.pop()
        return self._let_go.drop(last.trial, last.models)

    def delete_dropped(self) -> None:
        """Removes the files of what was dropped; called once that is on record."""
        self._let_go.delete_dropped()

    def _rank(self, kept: Kept) -> tuple[float, int]:
        return self._sign * kept.value, kept.trial.number


class FrontModels:
    """Follows the front of a sweep by several metrics and lets go of the models of all other trials."""

    def __init__(
        self,
        goals: Sequence[Goal],
        delete: Callable[[Trial, str], None],
        is_registered: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._front = FrontSoFar(goals)
        self._kept: dict[int, tuple[Trial, Sequence[LoggedModel]]] = {}
        self._let_go = LetGo(delete, is_registered)

    def place(self, trial: Trial) -> Trial:
        """The trial with the front as it is: one that this beats today will not be on it tomorrow."""
        return replace(trial, front=self._front.points)

    def add(
        self,
        trial: Trial,
        value: float | None,  # noqa: ARG002  # `values` count
        models: Sequence[LoggedModel],
        values: Values = (),
    ) -> list[RunUpdated]:
        """Takes in an ended trial; the changes that take models off the record that are not of the front any more."""
        if values:
            self._front.add(trial.number, values)
        if models:
            self._kept[trial.number] = (trial, models)
        beaten = [number for number in self._kept if number not in self._front]
        return [change for number in beaten for change in self._let_go.drop(*self._kept.pop(number))]

    def delete_dropped(self) -> None:
        """Removes the files of what was dropped; called once that is on record."""
        self._let_go.delete_dropped()


_: tuple[type[ModelKeeping], type[ModelKeeping]] = (KeptModels, FrontModels)

"""Which models a sweep keeps while it searches: those of its best k trials."""

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpo.trial import Goal, Trial
from trackers.records import LoggedModel, RunUpdated


@dataclass(frozen=True)
class Kept:
    """A complete trial among the best, and the models it keeps."""

    trial: Trial
    value: float
    models: Sequence[LoggedModel]


class KeptModels:
    """Follows the best k trials and lets go of the models of all others.

    `keep` None keeps every model, 0 none. `delete` removes a folder below a trial's artifacts. What `is_registered`
    says of a run is asked each time its models are about to go: somebody may have registered them a moment ago.
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
        self._delete = delete
        self._is_registered = is_registered
        self._best: list[Kept] = []
        self._dropped: list[Kept] = []

    def bar(self) -> float | None:
        """What a trial that starts now must reach for its models to be kept (see `Trial.bar`).

        The k-th best value only gets better, so a trial below it today can never be among the best k.
        """
        if self._keep is None:
            return None
        if self._keep == 0:
            return math.nan
        return self._best[-1].value if len(self._best) >= self._keep else None

    def add(self, trial: Trial, value: float | None, models: Sequence[LoggedModel]) -> list[RunUpdated]:
        """Takes in an ended trial; the changes that take models off the record that are not among the best any more."""
        if self._keep is None or (value is None and not models):
            return []
        entry = Kept(trial, math.nan if value is None else value, models)
        if value is None or self._keep == 0:
            return self._drop(entry)
        bisect.insort(self._best, entry, key=self._rank)
        return self._drop(self._best.pop()) if len(self._best) > self._keep else []

    def delete_dropped(self) -> None:
        """Removes the files of what was dropped; called once that is on record."""
        for kept in self._dropped:
            if not self._is_registered(kept.trial.run_id):
                for model in kept.models:
                    self._delete(kept.trial, model.path)
        self._dropped.clear()

    def _drop(self, kept: Kept) -> list[RunUpdated]:
        if not kept.models or self._is_registered(kept.trial.run_id):
            return []
        self._dropped.append(kept)
        return [
            RunUpdated(
                kept.trial.run_id,
                removed_models=[model.model_id for model in kept.models],
                removed_artifacts=[f"{model.path}/" for model in kept.models],
            )
        ]

    def _rank(self, kept: Kept) -> tuple[float, int]:
        return self._sign * kept.value, kept.trial.number

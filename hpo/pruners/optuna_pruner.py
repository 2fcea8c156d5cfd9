"""optuna's pruning rules as pure pruners."""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice

from optuna.pruners import BasePruner

from hpo.pruner import Pruner
from hpo.pruners.optuna_rules import Rule
from hpo.pruners.told_trials import Notes, ToldTrials
from hpo.trial import Curve, Goal, Result, Trial


@dataclass
class _Walk:
    """How far a trial's curve was judged: its attempt, the steps looked at, what was noted, the last decision."""

    attempt: int
    steps: int = 0
    last: int = 0
    notes: Notes = field(default_factory=dict)
    is_pruned: bool = False


class OptunaPruner:
    """One of optuna's rules: median, percentile, asha, hyperband, patient, threshold or wilcoxon.

    optuna keeps what halving did in attributes of its trials, and what it measured (`auto`) in the pruner. Here both
    are worked out from the told trials: a curve is gone through step by step, each step judged as it was judged then.
    So steps count in ascending order, whichever way they were reported. `auto` is measured by the first complete trial
    that had reported. A NaN is as in optuna: median and percentile skip it, a trial with nothing else is pruned, asha
    prunes it at a rung, threshold at once, wilcoxon never.
    """

    def __init__(self, name: str, *, goal: Goal, seed: int, window: int | None, options: Mapping[str, object]) -> None:
        self._rule = Rule.of(name, options)
        self._window = window
        self._told = ToldTrials(goal, seed)
        self._unmeasured = self._rule.make()
        self._measured: BasePruner | None = None
        self._walks: dict[int, _Walk] = {}
        self._warns = name == "wilcoxon" or (self._rule.inner is not None and self._rule.inner.name == "wilcoxon")

    def should_prune(self, trial: Trial, reported: Curve) -> bool:
        """Whether a trial that has reported this is to stop."""
        walk = self._walks.get(trial.number)
        if walk is None or not _continues(walk, trial, reported):
            walk = self._walks[trial.number] = _Walk(trial.attempt)
        self._go(walk, trial, reported)
        return walk.is_pruned

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        walk = self._walks.pop(trial.number, None)
        if self._rule.keeps_notes and result.curve:
            if walk is None or not _continues(walk, trial, result.curve):
                walk = _Walk(trial.attempt)
            self._go(walk, trial, result.curve)
        self._told.add(trial, result, walk.notes if walk else {})
        self._warns = self._warns or not all(map(math.isfinite, result.curve.values()))

    def _go(self, walk: _Walk, trial: Trial, reported: Curve) -> None:
        """Judges the rest of a curve; of a rule that remembers nothing the last step is enough."""
        count = self._known_to(trial)
        study, pruner = self._told.look(count), self._pruner(count)
        steps = list(reported)
        ends = range(walk.steps + 1, len(steps) + 1) if self._rule.keeps_notes else [len(steps)]
        with _silence() if self._warns or not all(map(math.isfinite, reported.values())) else nullcontext():
            for end in ends:
                known = reported if end == len(steps) else dict(islice(reported.items(), end))
                walk.is_pruned = bool(pruner.prune(study, self._told.judged(trial, known, walk.notes)))
                walk.notes |= self._told.take_notes()
        walk.steps, walk.last = len(steps), steps[-1] if steps else 0

    def _known_to(self, trial: Trial) -> int:
        """How many of the told trials this one may know."""
        if self._window is None:
            return len(self._told)
        return self._told.count_up_to(trial.number - self._window)

    def _pruner(self, count: int) -> BasePruner:
        first = self._told.first_finisher
        if first is None or count <= first[0]:
            return self._unmeasured
        if self._measured is None:
            self._measured = self._rule.make(first[1])
        return self._measured


def _continues(walk: _Walk, trial: Trial, reported: Curve) -> bool:
    """Whether nothing but later steps came to the curve since."""
    if walk.attempt != trial.attempt or walk.steps > len(reported):
        return False
    return walk.steps == 0 or next(islice(reported, walk.steps - 1, None)) == walk.last


@contextmanager
def _silence() -> Iterator[None]:
    """What numpy, scipy and optuna have to say of NaN and of steps that only one of two trials has."""
    with warnings.catch_warnings(action="ignore"):
        yield


_: type[Pruner] = OptunaPruner

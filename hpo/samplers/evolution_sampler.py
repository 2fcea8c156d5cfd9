"""CMA-ES that goes on from the best trials of another way of searching."""

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from cmaes import CMA  # type: ignore[import-untyped]  # it ships no types

from hpo.sampler import Sampler
from hpo.samplers.encoding import Encoding, Matrix
from hpo.samplers.told_value import told_value
from hpo.space import Params, Space
from hpo.trial import Goal, Result, Trial, derive_seed

PARENTS = 10
"""So many of the best points before the first of its own say where it begins, and how widely."""


class EvolutionSampler:
    """Asks for trials from `first` on; all trials before it are where it starts from.

    Trials first, first+1, .. are cut into generations. Trial n is drawn from what the whole generations among the
    trials 0..n-window lead to, so nothing has to be remembered of the asking: generations are told again.
    For spaces of real numbers alone.
    """

    def __init__(self, space: Space, *, seed: int, goal: Goal, window: int | None, first: int) -> None:
        self._encoding = Encoding(space)
        self._seed = seed
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._window = window
        self._first = first
        self._numbers: list[int] = []
        self._points: list[Matrix] = []
        self._values: list[float] = []

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted."""
        return [self.redraw(number, 0) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, by the same told trials."""
        evolution = self._evolved(number)
        evolution.reseed_rng(derive_seed(self._seed, number, "evolution", attempt))
        return self._encoding.params(np.minimum(evolution.ask(), 1.0 - 1e-12))

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without a finite value counts as the worst."""
        value = told_value(result)
        self._numbers.append(trial.number)
        self._points.append(self._encoding.point(trial.params))
        self._values.append(math.inf if value is None else self._sign * value)

    def _evolved(self, number: int) -> CMA:
        """The state that trial `number` is drawn from."""
        order = sorted(range(len(self._numbers)), key=self._numbers.__getitem__)  # a free window tells as they end
        numbers = [self._numbers[at] for at in order]
        begin = bisect_right(numbers, self._first - (self._window or 1))
        end = len(numbers) if self._window is None else bisect_right(numbers, number - self._window)
        evolution = self._begun(order[:begin])
        size = evolution.population_size
        for at in range(begin, end - size + 1, size):
            evolution.tell([(self._points[i], min(self._values[i], 1e300)) for i in order[at : at + size]])
        return evolution

    def _begun(self, known: Sequence[int]) -> CMA:
        best = sorted((at for at in known if math.isfinite(self._values[at])), key=self._values.__getitem__)[:PARENTS]
        width = self._encoding.width
        mean, sigma = np.full(width, 0.5), 0.3
        if best:
            points = np.vstack([self._points[at] for at in best])
            mean, sigma = points[0], float(np.clip(np.sqrt(np.mean((points - points[0]) ** 2)), 0.005, 0.3))
        return CMA(mean=mean, sigma=sigma, bounds=np.array([[0.0, 1.0]] * width), seed=0)


_: type[Sampler] = EvolutionSampler

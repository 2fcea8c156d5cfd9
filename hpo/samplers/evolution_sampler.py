"""CMA-ES that goes on from the best trials of another way of searching."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from copy import deepcopy
from operator import itemgetter

import numpy as np
from cmaes import CMA  # type: ignore[import-untyped]  # it ships no types

from hpo.sampler import Sampler
from hpo.samplers.encoding import Encoding, Matrix
from hpo.samplers.told_value import told_value
from hpo.space import Params, Space
from hpo.trial import Goal, Result, Trial, derive_seed

Told = tuple[Matrix, float]
"""A point and its value, the lower the better."""

PARENTS = 10
"""So many of the best points before the first of its own say where it begins, and how widely."""


class EvolutionSampler:
    """Asks for trials from `first` on; all trials before it are where it starts from.

    Trials first, first+1, .. are cut into generations. Trial n is drawn from what the whole generations among the
    trials 0..n-window lead to, so nothing has to be remembered of the asking: generations are told again. Of what was
    told only the states that open trials can be drawn from are kept, so neither time nor memory grows with the trials.
    For spaces of real numbers alone.
    """

    def __init__(self, space: Space, *, seed: int, goal: Goal, window: int | None, first: int) -> None:
        self._encoding = Encoding(space)
        self._seed = seed
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._window = window
        self._first = first
        self._last_before = first - (window or 1)  # the last trial that is known before the first one is asked for
        self._before: list[Told] = []
        self._generation: list[Told] = []
        self._states: list[tuple[int, CMA]] = []  # each with the last trial that led to it, in order

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted."""
        return [self.redraw(number, 0) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, by the same told trials."""
        evolution = _copy(self._state_for(number))  # asking changes it, too
        evolution.reseed_rng(derive_seed(self._seed, number, "evolution", attempt))
        return self._encoding.params(np.minimum(evolution.ask(), 1.0 - 1e-12))

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without a finite value counts as the worst."""
        value = told_value(result)
        told = self._encoding.point(trial.params), math.inf if value is None else self._sign * value
        if not self._states and trial.number <= self._last_before:
            self._before.append(told)
            return
        if not self._states:
            self._states.append((self._last_before, self._begun()))
        self._generation.append(told)
        if len(self._generation) == self._states[-1][1].population_size:
            self._evolve(trial.number)

    def _evolve(self, last: int) -> None:
        """Takes in a whole generation, and forgets the states that no trial is drawn from any more."""
        state = _copy(self._states[-1][1])
        state.tell([(point, min(value, 1e300)) for point, value in self._generation])
        self._generation.clear()
        self._states.append((last, state))
        while len(self._states) > 1 and self._states[1][0] <= last + 1 - (self._window or 1):
            self._states.pop(0)

    def _state_for(self, number: int) -> CMA:
        """The state that trial `number` is drawn from."""
        if not self._states:
            return self._begun()
        if self._window is None:
            return self._states[-1][1]
        known = bisect_right(self._states, number - self._window, key=itemgetter(0))
        return self._states[max(known - 1, 0)][1]

    def _begun(self) -> CMA:
        best = sorted((told for told in self._before if math.isfinite(told[1])), key=itemgetter(1))[:PARENTS]
        width = self._encoding.width
        mean, sigma = np.full(width, 0.5), 0.3
        if best:
            points = np.vstack([point for point, _ in best])
            mean, sigma = points[0], float(np.clip(np.sqrt(np.mean((points - points[0]) ** 2)), 0.005, 0.3))
        return CMA(mean=mean, sigma=sigma, bounds=np.array([[0.0, 1.0]] * width), seed=0)


def _copy(state: CMA) -> CMA:
    """The same state to the last bit: its own way of being copied, made for pickling, rounds."""
    other = CMA.__new__(CMA)
    other.__dict__.update(deepcopy(state.__dict__))
    return other


_: type[Sampler] = EvolutionSampler

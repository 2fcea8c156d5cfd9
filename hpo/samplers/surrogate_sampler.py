"""A Gaussian process that learns from the told trials where to look next; after a few quasi-random points."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.stats import qmc
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it has no types

from hpo.sampler import Sampler
from hpo.samplers.acquisition import log_improvement, most_promising
from hpo.samplers.auto_stages import start_length
from hpo.samplers.encoding import Encoding, Matrix
from hpo.samplers.gaussian_process import fitted
from hpo.samplers.told_value import told_value
from hpo.samplers.value_scale import levelled
from hpo.space import Params, Space
from hpo.trial import Goal, Result, Trial, derive_seed

INCUMBENTS = 5
"""So many of the best points are looked around."""
ENOUGH = 3
"""So many results are needed to learn from."""


class SurrogateSampler:
    """Asks where a Gaussian process expects the largest improvement.

    Trial n is asked for knowing the trials 0..n-window, and where those between them look: their points are the ones
    that this sampler answered, or would have, and the process takes them to be as good as it expects.
    Trials that failed count as the worst, pruned ones as worse than three in four.
    """

    def __init__(self, space: Space, *, seed: int, goal: Goal, window: int | None) -> None:
        self._encoding = Encoding(space)
        self._space = space
        self._seed = seed
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._window = window
        self._start = start_length(self._encoding.width)
        self._points: list[Matrix] = []
        self._numbers: list[int] = []
        self._values: list[float] = []
        self._answers: dict[tuple[int, int, int], Matrix] = {}

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points come twice only where the space has no others."""
        return [self._encoding.params(self._draw(number, 0)) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, by the same told trials."""
        return self._encoding.params(self._draw(number, attempt))

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        value = told_value(result)
        self._points.append(self._encoding.point(trial.params))
        self._numbers.append(trial.number)
        self._values.append(math.nan if value is None else self._sign * value)

    def _known(self, number: int) -> int:
        """How many of the told trials the trial of this number may know; they are told in number order."""
        if self._window is None:
            return len(self._numbers)
        return bisect_right(self._numbers, number - self._window)

    def _draw(self, number: int, attempt: int = 0) -> Matrix:
        key = (number, attempt, self._known(number))
        if key not in self._answers:
            self._answers[key] = self._new_draw(*key)
        return self._answers[key]

    def _new_draw(self, number: int, attempt: int, known: int) -> Matrix:
        values = np.array(self._values[:known])
        finite = values[np.isfinite(values)]
        earlier = bisect_left(sorted(self._numbers[:known]), 0)  # known points, and trials of earlier sweeps
        if number + earlier < self._start or len(finite) < ENOUGH or np.ptp(finite) == 0:
            return quasi_random(self._encoding.width, derive_seed(self._seed, 0, "sobol", attempt), number)
        rng = np.random.default_rng(derive_seed(self._seed, number, "surrogate", attempt))
        points, open_points = np.vstack(self._points[:known]), self._open_points(number)
        with _threads().limit(limits=1, user_api="blas"):
            return proposed(self._encoding, points, values, open_points, rng)

    def _open_points(self, number: int) -> Matrix:
        """Where the trials before this one look whose results it may not know.

        Always by what this sampler answers for them: a trial that was run elsewhere is not known to have been, either
        by now or not before it ended, and a resumed sweep must see just what the first one saw.
        """
        if self._window is None:
            told = set(self._numbers)
            rows = [draw for (other, attempt, _), draw in self._answers.items() if other not in told and not attempt]
        else:
            for other in range(self._start, number - self._window):  # from the first on, or the recursion is too deep
                self._draw(other)
            rows = [self._draw(other) for other in range(max(0, number - self._window + 1), number)]
        return self._encoding.points(np.array(rows).reshape(-1, self._encoding.width))


@cache
def _threads() -> ThreadpoolController:
    """For one thread: more of them are slower on matrices this small, and sum in another order."""
    return ThreadpoolController()


def proposed(
    encoding: Encoding, points: Matrix, values: Matrix, open_points: Matrix, rng: np.random.Generator
) -> Matrix:
    """The draw that promises most, given values at points and other trials at open points."""
    levels = levelled(values)
    process = fitted(points, levels, encoding.is_choice)
    best = float(np.min(process.predict(points)[0]))
    believing = process.believing(open_points)

    def score(candidates: Matrix) -> Matrix:
        return log_improvement(*believing.predict(candidates), best)

    incumbents = points[np.argsort(levels, kind="stable")[:INCUMBENTS]]
    return most_promising(encoding, score, incumbents, np.vstack([points, open_points]), rng)


def quasi_random(width: int, seed: int, number: int) -> Matrix:
    """The point of this number in a scrambled Sobol sequence."""
    if not width:
        return np.zeros(0)
    sequence = qmc.Sobol(width, scramble=True, rng=np.random.default_rng(seed))
    if number:
        sequence.fast_forward(number)
    draw: Matrix = sequence.random(1)[0]
    return np.minimum(draw, 1.0 - 1e-12)


_: type[Sampler] = SurrogateSampler

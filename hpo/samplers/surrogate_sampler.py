"""A Gaussian process that learns from the told trials where to look next; after a few quasi-random points."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import qmc
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it has no types

from hpo.sampler import Sampler
from hpo.samplers.acquisition import best_of_few, is_taken, log_improvement, most_promising
from hpo.samplers.auto_stages import start_length
from hpo.samplers.branches import Branch, turn
from hpo.samplers.encoding import Encoding, Matrix
from hpo.samplers.gaussian_process import GaussianProcess, fitted
from hpo.samplers.told_value import told_value
from hpo.samplers.value_scale import levelled
from hpo.space import Params, Space
from hpo.trial import Goal, Result, State, Trial, derive_seed

INCUMBENTS = 5
"""So many of the best points are looked around."""
ENOUGH = 3
"""So many results are needed to learn from."""
PATIENCE = 3
"""After so many trials without progress some look elsewhere."""
PROGRESS = 0.01
"""What counts as progress, in standard deviations."""
AMBITIONS = (0.3, 1.0, 2.0)
TURNED_DOWN = 12
"""So many points that were drawn again are kept away from; after that many chance decides."""
_ROUND = 100
"""Attempts are counted in rounds of so many, and those of other rounds are forgotten."""


class SurrogateSampler:
    """Asks where a Gaussian process expects the largest improvement.

    Trial n is asked for knowing the trials 0..n-window, and where those between them look: their points are the ones
    that this sampler answered, or would have, and the process takes them to be as good as it expects.
    Trials that failed count as the worst; pruned ones as what they reported last, but as no better than the median.
    """

    def __init__(self, space: Space, *, seed: int, goal: Goal, window: int | None) -> None:
        self._encoding = Encoding(space)
        self._seed = seed
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._window = window
        self._start = start_length(self._encoding.width)
        self._points: list[Matrix] = []
        self._numbers: list[int] = []
        self._values: list[float] = []  # NaN for pruned and failed trials
        self._reported: list[float] = []  # what pruned trials reported last, else NaN
        self._answers: dict[tuple[int, int, int], Matrix] = {}

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points come twice only where the space has no others."""
        return [self._encoding.params(self._draw(number, 0)) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that promises most where those of earlier attempts are known to be bad."""
        return self._encoding.params(self._draw(number, attempt))

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        value = told_value(result)
        self._points.append(self._encoding.point(trial.params))
        self._numbers.append(trial.number)
        self._values.append(math.nan if value is None else self._sign * value)
        last = list(result.curve.values())[-1:] if result.state is State.PRUNED else []
        self._reported.append(self._sign * last[0] if last else math.nan)

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
        earlier = sum(other < 0 for other in self._numbers[:known])  # known points, and trials of earlier sweeps
        if number + earlier < self._start or len(finite) < ENOUGH or finite.min() == finite.max():
            return quasi_random(self._encoding.width, derive_seed(self._seed, 0, "sobol", attempt), number)
        rng = np.random.default_rng(derive_seed(self._seed, number, "surrogate", attempt))
        if attempt % _ROUND > TURNED_DOWN:
            return rng.random(self._encoding.width)
        reported = np.maximum(np.array(self._reported[:known]), np.sort(finite)[len(finite) // 2])  # a mean overflows
        seen = Seen(
            np.vstack(self._points[:known]),
            np.where(np.isfinite(values), values, np.where(np.isfinite(reported), reported, np.nan)),
            self._open_points(number),
            self._turned_down(number, attempt),
        )
        with _threads().limit(limits=1, user_api="blas"):
            return proposed(self._encoding, seen, number, rng)

    def _turned_down(self, number: int, attempt: int) -> Matrix:
        """The points of the attempts before this one, which somebody did not want."""
        others = sorted({0, *range(attempt - attempt % _ROUND, attempt)}) if attempt else []
        return self._rows([self._draw(number, other) for other in others])

    def _open_points(self, number: int) -> Matrix:
        """Where the trials before this one look whose results it may not know.

        Always by what this sampler answers for them: a trial that was run elsewhere is not known to have been, either
        by now or not before it ended, and a resumed sweep must see just what the first one saw.
        """
        if self._window is None:
            told = set(self._numbers)
            rows = [draw for (other, attempt, _), draw in self._answers.items() if other not in told and not attempt]
        else:
            open_numbers = range(max(0, number - self._window + 1), number)
            for other in range(open_numbers.start if open_numbers else 0):  # in turn, or the recursion is too deep
                self._draw(other)
            rows = [self._draw(other) for other in open_numbers]
        return self._rows(rows)

    def _rows(self, draws: Sequence[Matrix]) -> Matrix:
        return self._encoding.points(np.array(draws).reshape(-1, self._encoding.width))


@cache
def _threads() -> ThreadpoolController:
    """For one thread: more of them are slower on matrices this small, and sum in another order."""
    return ThreadpoolController()


@dataclass(frozen=True)
class Seen:
    """What is known of points: their values, NaN for failures; those where trials are open; those that are unwanted."""

    points: Matrix
    values: Matrix
    open: Matrix
    unwanted: Matrix


def proposed(encoding: Encoding, seen: Seen, number: int, rng: np.random.Generator) -> Matrix:
    """The draw that promises most to the trial of this number."""
    levels = levelled(seen.values)
    process = fitted(seen.points, levels, encoding.is_choice)
    means = process.predict(seen.points)[0]
    informed = process.told(seen.unwanted, levels.max()).believing(seen.open)
    order, aim = np.argsort(levels, kind="stable"), ambition(levels, number)
    branch = turn(encoding, seen.points, levels, number)

    def improvement(candidates: Matrix) -> Matrix:
        return log_improvement(*informed.predict(candidates), float(np.min(means)) - aim)

    draw = None
    if branch:
        draw = _most_promising_inside(branch, encoding, informed, seen.points[order], means[order], rng)
    elif aim:
        draw = best_of_few(encoding, improvement, informed.points, rng)
    if draw is None or is_taken(encoding, draw, informed.points):
        draw = most_promising(encoding, improvement, seen.points[order[:INCUMBENTS]], informed.points, rng)
    return draw


def _most_promising_inside(
    branch: Branch,
    encoding: Encoding,
    process: GaussianProcess,
    points: Matrix,
    means: Matrix,
    rng: np.random.Generator,
) -> Matrix:
    """The draw in a branch that promises most to improve on the best there; points come the best first."""
    inside = branch.holds(points)
    best = float(means[inside].min() if inside.any() else means.max())
    incumbents = np.vstack([points[inside], points])[:INCUMBENTS]

    def improvement(candidates: Matrix) -> Matrix:
        return log_improvement(*process.predict(candidates), best) - branch.penalty(encoding, candidates)

    return most_promising(encoding, improvement, incumbents, process.points, rng, branch)


def ambition(levels: Matrix, number: int) -> float:
    """How much better than the best the next trial should be, in standard deviations of all values.

    Nothing, as long as trials get better. Where they do not, every second one looks for more than a plateau round the
    best could give, and so goes where little is known.
    """
    since = len(levels) - 1 - int(np.argmax(levels <= levels.min() + PROGRESS))
    return AMBITIONS[number // 2 % len(AMBITIONS)] if since >= PATIENCE and number % 2 else 0.0


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

"""optuna's tpe, which imports optuna only when there is something to learn from."""

import math
from collections.abc import Callable, Sequence

from numpy import nextafter
from numpy.random import RandomState

from hpo.sampler import Sampler
from hpo.samplers.told_value import told_values
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Params, Space, Value
from hpo.trial import Result, State, Trial, derive_seed

STARTUP = 10
"""Told trials up to which optuna's tpe draws at random (`n_startup_trials` of optuna.samplers.TPESampler)."""


class LateTpe:
    """Draws the first points just as tpe does, and has `make` make one for the others.

    A sweep comes to its first trial a quarter of a second sooner for it. A trial is told to nobody before that.
    """

    def __init__(self, space: Space, *, seed: int, make: Callable[[], Sampler]) -> None:
        self._space = space
        self._seed = seed
        self._make = make
        self._told: list[tuple[Trial, Result]] = []
        self._tpe: Sampler | None = None

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points may come twice."""
        tpe = self._learned()
        return tpe.ask(numbers) if tpe else [self._drawn(number, 0) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params | None:
        """The point that another seed gives, by the same told trials."""
        tpe = self._learned()
        return tpe.redraw(number, attempt) if tpe else self._drawn(number, attempt)

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without a finite value teaches nothing."""
        if self._tpe:
            self._tpe.tell(trial, result)
            return
        if result.state is State.PRUNED or told_values(result) is not None:  # optuna's tpe never looks at the others
            self._told.append((trial, result))

    def _learned(self) -> Sampler | None:
        """The sampler that was told all, None as long as it would draw at random."""
        if self._tpe is None and len(self._told) >= STARTUP:
            self._tpe = self._make()
            for trial, result in self._told:
                self._tpe.tell(trial, result)
            self._told.clear()
        return self._tpe

    def _drawn(self, number: int, attempt: int) -> Params:
        random = RandomState(derive_seed(self._seed, number, "tpe", attempt))
        return self._space.draw(lambda parameter: drawn(parameter.domain, random))


def drawn(domain: Domain, random: RandomState) -> Value:
    """A value of the domain, before it is conformed, as optuna's RandomSampler draws it (optuna._transform)."""
    if domain.size == 1:
        return domain.at(0)
    if isinstance(domain, Choice | Constant):
        return domain.at(int(random.uniform(size=domain.size).argmax()))
    if isinstance(domain, IntRange) and domain.log:
        low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return min(max(round(math.exp(random.uniform(low, high))), domain.low), domain.high)
    if isinstance(domain, FloatRange) and domain.size is None:
        below_high = float(nextafter(domain.high, domain.high - 1))
        if not domain.log:
            return min(float(random.uniform(domain.low, domain.high)), below_high)
        exponent = random.uniform(math.log(domain.low), math.log(domain.high))
        return min(max(math.exp(exponent), float(domain.low)), below_high)
    last = (domain.size or 1) - 1
    return domain.at(min(max(math.floor(random.uniform(-0.5, last + 0.5) + 0.5), 0), last))


_: type[Sampler] = LateTpe

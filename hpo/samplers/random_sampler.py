"""Random search: every point drawn on its own, from its number and the seed alone."""

import math
from collections.abc import Sequence
from random import Random

from hpo.sampler import Sampler
from hpo.space import Domain, FloatRange, IntRange, Params, Space, Value
from hpo.trial import Result, Trial, derive_seed


class RandomSampler:
    """Uniform points; uniform in the logarithm where a range says `log`. The same for every engine."""

    def __init__(self, space: Space, *, seed: int) -> None:
        self._space = space
        self._seed = seed

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points may come twice."""
        return [self._point(number) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """Another point drawn on its own."""
        return self._point(number, attempt)

    def tell(self, trial: Trial, result: Result) -> None:
        """Nothing is learnt."""

    def _point(self, number: int, attempt: int = 0) -> Params:
        # `random` alone is used: the other methods may draw differently in another version of Python
        seed = derive_seed(self._seed, number, "random", attempt)
        fraction = Random(seed).random  # noqa: S311  # a search, not a secret
        return self._space.draw(lambda parameter: spread(parameter.domain, fraction()))


def spread(domain: Domain, fraction: float) -> Value:
    """The value at a fraction (0 to 1, 1 excluded) of the domain, before it is conformed."""
    if isinstance(domain, FloatRange | IntRange) and domain.log:
        margin = 0.5 if isinstance(domain, IntRange) else 0.0  # so that rounding leaves no number short at the ends
        low, high = math.log(domain.low - margin), math.log(domain.high + margin)
        return math.exp(low + fraction * (high - low))
    if isinstance(domain, FloatRange) and domain.step is None:
        return domain.low + fraction * (domain.high - domain.low)
    return domain.at(int(fraction * (domain.size or 1)))


_: type[Sampler] = RandomSampler

"""Known points first, then those of another sampler, which is told them as what it did not ask for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from hpo.sampler import Sampler
from hpo.samplers.random_sampler import spread
from hpo.space import Parameter, Params, Space, Value
from hpo.trial import Result, Trial, derive_seed

MOST_DRAWS = 1000
"""How often what a point leaves open is drawn, where not every draw is allowed."""


class StartedSampler:
    """Of k known points the n-th is trial n; what it leaves open is drawn at random, by the seed and n alone.

    Trial n from k on is trial n - k of the sampler `rest`, which is told trials 0..k-1 under the numbers -k..-1. So
    an engine with a sequence of its own begins it at its beginning, and its window stays what it was. With `once`,
    points of `rest` that are known ones are left out: those of a grid. `allows` says which points may be run; a known
    point that leaves nothing open is run in any case.
    """

    def __init__(
        self,
        rest: Sampler,
        space: Space,
        points: Sequence[Params],
        *,
        seed: int,
        once: bool = False,
        allows: Callable[[Params], bool] = lambda _: True,
    ) -> None:
        self._rest = rest
        self._space = space
        self._given = points
        self._seed = seed
        self._allows = allows
        self._points = [self._drawn(number) for number in range(len(points))]
        self._left_out = {_key(point) for point in self._points} if once else set()
        self._places: list[int] = []  # of the points of `rest` that are not left out

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; fewer than asked where `rest` has no more."""
        points: list[Params] = []
        for number in numbers:
            asked = self._asked(number)
            if asked is None:
                break
            points.append(asked)
        return points

    def redraw(self, number: int, attempt: int) -> Params | None:
        """What `rest` has instead; a known point has itself alone, and other draws of what it leaves open."""
        if number >= len(self._points):
            place = self._place(number - len(self._points))
            return None if place is None else self._rest.redraw(place, attempt)
        if attempt == 0:
            return self._points[number]
        drawn = self._drawn(number, attempt)
        return None if drawn == self._points[number] else drawn

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        self._rest.tell(replace(trial, number=trial.number - len(self._points)), result)

    def _asked(self, number: int) -> Params | None:
        if number < len(self._points):
            return self._points[number]
        place = self._place(number - len(self._points))
        asked = () if place is None else self._rest.ask(range(place, place + 1))
        return asked[0] if asked else None

    def _place(self, number: int) -> int | None:
        """Which of the points of `rest` it is; None where it has no more."""
        if not self._left_out:
            return number
        while len(self._places) <= number:
            place = self._places[-1] + 1 if self._places else 0
            while (asked := self._rest.ask(range(place, place + 1))) and _key(asked[0]) in self._left_out:
                place += 1
            if not asked:
                return None
            self._places.append(place)
        return self._places[number]

    def _drawn(self, number: int, first: int = 0) -> Params:
        """The whole point: the first draw from this one on that is allowed, else just the first."""
        drawn = (self._draw(number, attempt) for attempt in range(first, first + MOST_DRAWS))
        fallback = self._draw(number, first)
        return fallback if self._allows(fallback) else next(filter(self._allows, drawn), fallback)

    def _draw(self, number: int, attempt: int) -> Params:
        given = self._given[number]
        fraction = Random(derive_seed(self._seed, number, "start", attempt)).random  # noqa: S311  # a search, no secret

        def value_of(parameter: Parameter) -> Value:
            drawn = spread(parameter.domain, fraction())  # drawn for each, so that giving one changes no other
            return given.get(parameter.name, drawn)

        return self._space.draw(value_of)


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)  # which tells True from 1 from 1.0


_: type[Sampler] = StartedSampler

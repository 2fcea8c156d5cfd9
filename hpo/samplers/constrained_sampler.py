"""Only points that satisfy a condition, from any sampler."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.grid_sampler import GridSampler
from hpo.samplers.random_sampler import RandomSampler
from hpo.space import Params, Space
from hpo.trial import Result, Trial, derive_seed

Allows = Callable[[Params], bool]
MOST_DRAWS = 100_000
"""Random points that are tried before it counts as certain that there is none."""
REDRAWS: Mapping[str, int] = {"random": 1000, "qmc": 1000, "gp": 5, "auto": 10}
"""How often a sampler is asked for another point, by its name: the slower it is, the fewer."""
_USUAL_REDRAWS = 64


class ConstrainedSampler:
    """Trial n is the first point that is allowed: of those that `rest` has for n, then of random ones.

    So it depends on n, the seed and what `rest` was told, and on nothing else. `rest` is told what was run, and nothing
    of the points that were not allowed. `name` is that of its sampler.
    """

    def __init__(self, rest: Sampler, space: Space, allows: Allows, *, name: str, seed: int) -> None:
        self._rest = rest
        self._allows = allows
        self._redraws = REDRAWS.get(name, _USUAL_REDRAWS)
        self._chance = RandomSampler(space, seed=derive_seed(seed, 0, "constraints"))

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; EngineError where even random ones are never allowed."""
        return [self.redraw(number, 0) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """Another point that is allowed."""
        for point in self._drawn(number, attempt * MOST_DRAWS):
            if self._allows(point):
                return point
        raise EngineError(
            f"trial {number}: none of {MOST_DRAWS:,} random points satisfies the constraints, so few of them do that "
            "they cannot be found by chance: say what they say by the ranges, or as a condition on one parameter"
        )

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        self._rest.tell(trial, result)

    def _drawn(self, number: int, first: int) -> Iterator[Params]:
        for attempt in range(first, first + self._redraws + 1):
            point = self._rest.redraw(number, attempt)
            if point is None:
                break
            yield point
        for attempt in range(first, first + MOST_DRAWS):
            yield self._chance.redraw(number, attempt)


class FeasibleGrid:
    """The points of a grid that are allowed, in its order; the others have no number."""

    def __init__(self, grid: GridSampler, allows: Allows) -> None:
        self._grid = grid
        self._allows = allows
        self._places: list[int] = []  # of the points found so far
        self._next = 0

    @property
    def size(self) -> int:
        """How many points are allowed; looks at all of the grid."""
        while self._find():
            pass
        return len(self._places)

    def ask(self, numbers: range) -> Sequence[Params]:
        """The points of these numbers; those beyond the last point are left out."""
        return [point for number in numbers if (point := self.redraw(number, 0)) is not None]

    def redraw(self, number: int, attempt: int) -> Params | None:
        """None: each number has one point."""
        while attempt == 0 and len(self._places) <= number and self._find():
            pass
        if attempt or number >= len(self._places):
            return None
        return self._grid.redraw(self._places[number], 0)

    def tell(self, trial: Trial, result: Result) -> None:
        """Nothing is learnt."""

    def _find(self) -> bool:
        """Whether there is one more point that is allowed; it then has its place."""
        while self._next < self._grid.size:
            place = self._next
            self._next += 1
            (point,) = self._grid.ask(range(place, place + 1))
            if self._allows(point):
                self._places.append(place)
                return True
        return False


_: tuple[type[Sampler], type[Sampler]] = (ConstrainedSampler, FeasibleGrid)

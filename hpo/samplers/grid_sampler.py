"""Grid search: every point of a finite space once, the last parameter changing fastest."""

from collections.abc import Mapping, Sequence

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.space import FloatRange, Params, Space, Value
from hpo.trial import Result, Trial


class GridSampler:
    """Point n is the n-th of the whole grid; it is computed, so a huge grid costs no memory.

    `size` is the number of points. Combinations that differ in inactive parameters only are one point.
    The seed changes nothing. EngineError where a range has no finite list of values.
    """

    def __init__(self, space: Space, *, seed: int) -> None:  # noqa: ARG002  # samplers are all made alike
        for parameter in space.parameters:
            if parameter.domain.size is None:
                log = isinstance(parameter.domain, FloatRange) and parameter.domain.log
                way_out = "choices" if log else "a step or choices"
                raise EngineError(f"sampler grid: {parameter.name} has no finite list of values; give it {way_out}")
        self._parameters = space.parameters
        self._asked_for = [
            {name for p in self._parameters[i:] for name in p.when} for i in range(len(space.parameters))
        ]
        self._counts: dict[tuple[int, str], int] = {}
        self.size = self._count(0, {})

    def ask(self, numbers: range) -> Sequence[Params]:
        """The points of these numbers; those beyond the last point are left out."""
        return [self._point(number) for number in numbers if number < self.size]

    def redraw(self, number: int, attempt: int) -> Params | None:
        """None: each number has one point."""
        return self._point(number) if attempt == 0 and number < self.size else None

    def tell(self, trial: Trial, result: Result) -> None:
        """Nothing is learnt."""

    def _point(self, number: int) -> Params:
        params: dict[str, Value] = {}
        for depth, parameter in enumerate(self._parameters):
            if not parameter.is_active(params):
                continue
            if parameter.name not in self._asked_for[depth]:
                index, number = divmod(number, self._count(depth + 1, params))
                params[parameter.name] = parameter.domain.at(index)
                continue
            for index in range(parameter.domain.size or 0):
                params[parameter.name] = parameter.domain.at(index)
                block = self._count(depth + 1, params)
                if number < block:
                    break
                number -= block
        return params

    def _count(self, depth: int, params: Mapping[str, Value]) -> int:
        """How many points the parameters from `depth` on have, given those before."""
        if depth == len(self._parameters):
            return 1
        parents = {name: value for name, value in params.items() if name in self._asked_for[depth]}
        key = (depth, repr(parents))
        if key not in self._counts:
            self._counts[key] = self._count_new(depth, parents)
        return self._counts[key]

    def _count_new(self, depth: int, parents: Mapping[str, Value]) -> int:
        parameter = self._parameters[depth]
        if not parameter.is_active(parents):
            return self._count(depth + 1, parents)
        size = parameter.domain.size or 0
        if parameter.name not in self._asked_for[depth]:
            return size * self._count(depth + 1, parents)
        values = (parameter.domain.at(index) for index in range(size))
        return sum(self._count(depth + 1, {**parents, parameter.name: value}) for value in values)


_: type[Sampler] = GridSampler

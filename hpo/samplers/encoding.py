"""A space as rows of numbers that a surrogate can measure distances between."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Params, Space, Value, same_value

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
INACTIVE_CHOICE = -1.0
INACTIVE_NUMBER = 0.5


class Encoding:
    """Rows have one column for each parameter that is searched, in the order of the space.

    A *draw* is a row of numbers from 0 to 1, 1 excluded, one for each parameter, whether it is active or not. A
    *point* is what the trial will really be: numbers at the position of the value in its range (in the logarithm where
    it is a log range; on the very step), choices at the index of theirs, and what is inactive at one fixed place, so
    that two points which differ in what is inactive only are the same.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self.searched = tuple(p for p in space.parameters if p.domain.size != 1)
        self._column = {p.name: at for at, p in enumerate(self.searched)}
        self.is_choice: Mask = np.array([isinstance(p.domain, Choice) for p in self.searched], dtype=bool)
        self._allowed = [self._conditions(p) for p in self.searched]

    @property
    def width(self) -> int:
        """How many parameters are searched."""
        return len(self.searched)

    def points(self, draws: Matrix) -> Matrix:
        """The points of draws, row by row."""
        points = np.empty_like(draws)
        active = np.ones(draws.shape, dtype=bool)
        for at, parameter in enumerate(self.searched):
            for other, positions in self._allowed[at]:
                active[:, at] &= active[:, other] & np.isin(points[:, other], positions)
            places = _snapped(parameter, draws[:, at])
            points[:, at] = np.where(active[:, at], places, self._inactive(at))
        return points

    def draws(self, points: Matrix, inactive: Matrix) -> Matrix:
        """Draws of points, with what is inactive taken from another matrix of draws."""
        draws = points.copy()
        for at, parameter in enumerate(self.searched):
            if self.is_choice[at]:
                draws[:, at] = (points[:, at] + 0.5) / (parameter.domain.size or 1)
                missing = points[:, at] == INACTIVE_CHOICE
                draws[missing, at] = inactive[missing, at]
            elif parameter.when:
                missing = points[:, at] == INACTIVE_NUMBER  # active in the very middle is rare, and loses nothing
                draws[missing, at] = inactive[missing, at]
        return np.clip(draws, 0.0, 1.0 - 1e-12)

    def point(self, params: Params) -> Matrix:
        """The point that params stand for."""
        row = np.array([self._inactive(at) for at in range(self.width)])
        for name, value in params.items():
            if name in self._column:
                at = self._column[name]
                row[at] = _place(self.searched[at], value)
        return row

    def params(self, draw: Matrix) -> Params:
        """The params of one draw."""
        drawn = {p.name: _value(p, float(draw[at])) for at, p in enumerate(self.searched)}
        return self._space.draw(lambda p: drawn[p.name] if p.name in drawn else p.domain.at(0))

    def _inactive(self, at: int) -> float:
        return INACTIVE_CHOICE if self.is_choice[at] else INACTIVE_NUMBER

    def _conditions(self, parameter: Parameter) -> list[tuple[int, list[float]]]:
        """Columns that switch a parameter on, and the places they must have for it."""
        found = []
        for name, values in parameter.when.items():
            if name in self._column:
                other = self.searched[self._column[name]]
                places = [_place(other, value) for value in values if other.domain.contains(value)]
                found.append((self._column[name], places))
            elif not any(same_value(self._space[name].domain.at(0), value) for value in values):
                found.append((0, []))  # it depends on what is never so
        return found


def _snapped(parameter: Parameter, draws: Matrix) -> Matrix:
    """The places of the values that draws stand for."""
    domain = parameter.domain
    if isinstance(domain, Choice):
        return np.floor(draws * domain.size)
    if isinstance(domain, IntRange) and domain.log:
        low, high = _log_ends(domain)
        values = np.clip(np.round(np.exp(low + draws * (high - low))), domain.low, domain.high)
        places: Matrix = (np.log(values) - low) / (high - low)
        return places
    if domain.size is not None:
        return np.asarray((np.floor(draws * domain.size) + 0.5) / domain.size)
    return draws


def _place(parameter: Parameter, value: Value) -> float:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return float(domain.index(value))
    if isinstance(domain, IntRange) and domain.log:
        low, high = _log_ends(domain)
        return (math.log(float(domain.conform(value))) - low) / (high - low)
    if isinstance(domain, FloatRange) and domain.size is None:
        number = domain.conform(value)
        if domain.log:
            return (math.log(number) - math.log(domain.low)) / (math.log(domain.high) - math.log(domain.low))
        return (number - domain.low) / (domain.high - domain.low)
    return (domain.index(value) + 0.5) / (domain.size or 1)


def _value(parameter: Parameter, draw: float) -> Value:
    domain = parameter.domain
    if isinstance(domain, Choice | Constant):
        return domain.at(int(draw * domain.size))
    if isinstance(domain, IntRange) and domain.log:
        low, high = _log_ends(domain)
        return domain.conform(round(math.exp(low + draw * (high - low))))
    if domain.size is not None:
        return domain.at(int(draw * domain.size))
    if domain.log:
        return math.exp(math.log(domain.low) + draw * (math.log(domain.high) - math.log(domain.low)))
    return domain.low + draw * (domain.high - domain.low)


def _log_ends(domain: IntRange) -> tuple[float, float]:
    """The ends of a log range of whole numbers, moved so that rounding leaves no number short there."""
    return math.log(domain.low - 0.5), math.log(domain.high + 0.5)


def distances(left: Matrix, right: Matrix, is_choice: Sequence[bool] | Mask) -> Matrix:
    """Squared distances, one matrix for each column; two choices are 1 apart if they differ."""
    gaps = left.T[:, :, None] - right.T[:, None, :]
    squared: Matrix = np.where(np.asarray(is_choice)[:, None, None], gaps != 0, gaps * gaps).astype(np.float64)
    return squared

"""Turns for those values of a choice that are not the best trial's, so that each of them is searched in its own right.

Where the best trials lie on a plateau, or one classifier was lucky early, a process that looks for improvements on the
best alone would leave the others behind after a trial or two.
"""

import math
from dataclasses import dataclass

import numpy as np

from hpo.samplers.encoding import INACTIVE_CHOICE, Encoding, Mask, Matrix

EVERY = 4
"""One in so many trials is such a turn."""
BONUS = 0.3
"""How far, in standard deviations, a value that was tried rarely may lag behind one that was tried often."""
REACH = 0.35
"""So far, in parts of its range, a number may be from that of the best trial of the branch."""
_OUTSIDE = 1e4


@dataclass(frozen=True)
class Branch:
    """The part of a space where a choice has one value, and its best point so far, if any."""

    column: int
    value: float
    centre: Matrix | None

    def holds(self, points: Matrix) -> Mask:
        """Which points lie in it."""
        inside: Mask = points[:, self.column] == self.value
        return inside

    def held(self, encoding: Encoding, draws: Matrix) -> Matrix:
        """Draws moved into it."""
        moved = draws.copy()
        moved[:, self.column] = (self.value + 0.5) / (encoding.searched[self.column].domain.size or 1)
        return moved

    def penalty(self, encoding: Encoding, points: Matrix) -> Matrix:
        """What the score of points loses that are not in it, or out of reach.

        Reach is limited because a process doubts most what lies at far ends.
        """
        outside = np.where(self.holds(points), 0.0, 10 * _OUTSIDE)
        if self.centre is None:
            return outside
        far = np.abs(points - self.centre)[:, ~encoding.is_choice] > REACH
        return outside + np.where(far.any(axis=1), _OUTSIDE, 0.0)


def turn(encoding: Encoding, points: Matrix, levels: Matrix, number: int) -> Branch | None:
    """The branch that the trial of this number is for; None if it may go anywhere.

    The choices that are active in the best trial take turns. Of the values that the best trial does not have, it is
    the one with the best trial, where a value gets a bonus for having been tried rarely, and comes first if it never
    was.
    """
    best = points[int(np.argmin(levels))]
    columns = [int(at) for at in np.flatnonzero(encoding.is_choice & (best != INACTIVE_CHOICE))]
    if not columns or number % EVERY != EVERY - 1:
        return None
    column = columns[number // EVERY % len(columns)]
    others = set(range(encoding.searched[column].domain.size or 1)) - {int(best[column])}
    promises = {value: _promise(levels[points[:, column] == value], len(levels)) for value in sorted(others)}
    value = float(min(promises, key=lambda other: promises[other]))
    inside = np.flatnonzero(points[:, column] == value)
    centre = points[inside[int(np.argmin(levels[inside]))]] if len(inside) else None
    return Branch(column, value, centre)


def _promise(levels: Matrix, count: int) -> float:
    """How low its levels are thought to go; of `count` levels in all."""
    return float(levels.min()) - BONUS * math.sqrt(math.log(count) / len(levels)) if len(levels) else -math.inf

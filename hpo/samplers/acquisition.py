"""Where a surrogate says it is most worth looking next."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erfcx, ndtr

from hpo.samplers.branches import Branch
from hpo.samplers.encoding import Encoding, Mask, Matrix

Score = Callable[[Matrix], Matrix]
"""How promising points are; the higher the better."""

POOL = 600
"""Draws all over the space."""
FEW = 32
"""Draws all over the space where a trial looks elsewhere."""
LOCAL = 40
"""Draws round each incumbent, at each of the scales below."""
SCALES = (0.2, 0.05, 0.01)
ROUNDS = (0.1, 0.05, 0.025, 0.01, 0.004, 0.0015)
"""How far each round of refinement looks from what is best by then."""
KEPT = 8
VARIANTS = 12
"""So many of the best go into a round, and so many variants of each."""
_TAKEN = 1e6


def log_improvement(mean: Matrix, deviation: Matrix, best: float) -> Matrix:
    """The logarithm of the expected improvement on `best`, downwards; finite where the improvement itself underflows.

    As in Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization".
    """
    z = (best - mean) / deviation
    density = -0.5 * z * z - 0.5 * math.log(2 * math.pi)
    near = np.exp(density) + z * ndtr(z)
    low = np.minimum(z, -1.0)
    tail = np.maximum(1.0 + low * math.sqrt(math.pi / 2) * erfcx(-low / math.sqrt(2)), 0.5 / (low * low + 1.0))
    logarithm: Matrix = np.where(z > -1.0, np.log(np.maximum(near, 1e-300)), density + np.log(tail))
    return logarithm + np.log(deviation)


def most_promising(
    encoding: Encoding,
    score: Score,
    incumbents: Matrix,
    taken: Matrix,
    rng: np.random.Generator,
    branch: Branch | None = None,
) -> Matrix:
    """The draw of the highest score: of a pool all over the space and round the incumbents, then refined.

    Its point is none that is taken, as far as another one was found; and in the branch, if there is one.
    """
    known = _rows(taken)

    def best(draws: Matrix) -> Matrix:
        return _best(encoding, score, branch.held(encoding, draws) if branch else draws, known)

    around = np.repeat(incumbents, LOCAL, axis=0)
    pool = rng.random((POOL, encoding.width))
    draws = best(np.vstack([pool, *(varied(encoding, around, scale, rng) for scale in SCALES)]))
    for scale in ROUNDS:
        around = np.repeat(encoding.points(draws), VARIANTS, axis=0)
        draws = best(np.vstack([draws, varied(encoding, around, scale, rng)]))
    first: Matrix = draws[0]
    return first


def best_of_few(encoding: Encoding, score: Score, taken: Matrix, rng: np.random.Generator) -> Matrix:
    """The draw of the highest score of a few anywhere; not taken, as far as another one is among them.

    For looking elsewhere: of all points, a process doubts most those in the corners, where the best one seldom is.
    """
    first: Matrix = _best(encoding, score, rng.random((FEW, encoding.width)), _rows(taken))[0]
    return first


def is_taken(encoding: Encoding, draw: Matrix, taken: Matrix) -> bool:
    """Whether the point of a draw is among those that are taken."""
    return _rows(encoding.points(draw[None])) <= _rows(taken)


def varied(encoding: Encoding, points: Matrix, scale: float, rng: np.random.Generator) -> Matrix:
    """Draws near points: some numbers moved by about `scale` and reflected at the ends, some choices drawn anew."""
    count, width = points.shape
    fresh = rng.random((count, width))
    moved = rng.random((count, width)) < max(min(1.0, 3.0 / width), 0.3)
    moved[np.arange(count), rng.integers(0, width, count)] = True
    here = encoding.draws(points, fresh)
    walked = np.abs(here + np.where(moved, rng.normal(0.0, scale, (count, width)), 0.0))
    walked = np.where(walked >= 1, 2.0 - walked, walked)
    redrawn = encoding.is_choice & moved & (rng.random((count, width)) < 0.5)
    stays = encoding.is_choice & ~redrawn
    draws = np.where(stays, here, np.where(redrawn, fresh, walked))
    result: Matrix = np.clip(draws, 0.0, 1.0 - 1e-12)
    return result


def _best(encoding: Encoding, score: Score, draws: Matrix, taken: set[bytes]) -> Matrix:
    """The draws of the highest score first, one for each point."""
    points = encoding.points(draws)
    keys = [row.tobytes() for row in np.round(points, 9) + 0.0]  # + 0.0: there is one zero
    is_taken: Mask = np.array([key in taken for key in keys], dtype=bool)
    order = np.argsort(-(score(points) - _TAKEN * is_taken), kind="stable")
    chosen: dict[bytes, int] = {}
    for at in order[: 4 * KEPT]:
        if len(chosen) < KEPT:
            chosen.setdefault(keys[at], int(at))
    result: Matrix = draws[list(chosen.values())]
    return result


def _rows(points: Matrix) -> set[bytes]:
    return {row.tobytes() for row in np.round(points, 9) + 0.0}

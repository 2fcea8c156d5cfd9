"""Where a surrogate says it is most worth looking next."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erfcx, ndtr

from hpo.samplers.encoding import Encoding, Mask, Matrix

Score = Callable[[Matrix], Matrix]


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
    encoding: Encoding, score: Score, incumbents: Matrix, taken: Matrix, rng: np.random.Generator
) -> Matrix:
    """The draw of the highest score: of a pool all over the space and round the incumbents, then refined.

    No point that is taken, as far as another one can be found.
    """
    width = encoding.width
    pool = [rng.random((POOL, width))]
    for centre in incumbents:
        pool += [varied(encoding, np.tile(centre, (LOCAL, 1)), scale, rng) for scale in (0.2, 0.05, 0.01)]
    draws = np.vstack(pool)
    draws, scores = _ranked(encoding, score, draws, taken, keep=KEEP)
    for scale in (0.1, 0.05, 0.025, 0.01, 0.004, 0.0015):
        around = [draws]
        around += [varied(encoding, encoding.points(draws), scale, rng) for _ in range(ROUND)]
        draws, scores = _ranked(encoding, score, np.vstack(around), taken, keep=KEEP)
    return draws[0]


POOL, LOCAL, KEEP, ROUND = 600, 40, 8, 12


def varied(encoding: Encoding, points: Matrix, scale: float, rng: np.random.Generator) -> Matrix:
    """Draws near points: some numbers moved by about `scale`, some choices drawn anew."""
    count, width = points.shape
    fresh = rng.random((count, width))
    draws = encoding.draws(points, fresh)
    share = max(min(1.0, 3.0 / width), 0.3) if width > 1 else 1.0
    moved = rng.random((count, width)) < share
    moved[np.arange(count), rng.integers(0, width, count)] = True
    numbers = moved & ~encoding.is_choice
    steps = rng.normal(0.0, scale, (count, width))
    walked = draws + np.where(numbers, steps, 0.0)
    walked = np.where(walked < 0, -walked, walked)
    walked = np.where(walked >= 1, 2.0 - walked, walked)
    redrawn = encoding.is_choice & moved & (rng.random((count, width)) < 0.5)
    return np.clip(np.where(redrawn, fresh, walked), 0.0, 1.0 - 1e-12)


def _ranked(encoding: Encoding, score: Score, draws: Matrix, taken: Matrix, *, keep: int) -> tuple[Matrix, Matrix]:
    points = encoding.points(draws)
    scores = score(points)
    scores = np.where(_is_taken(points, taken), scores - 1e6, scores)
    order = np.argsort(-scores, kind="stable")[: 4 * keep]
    chosen: list[int] = []
    for at in order:
        if len(chosen) < keep and not any(np.array_equal(points[at], points[other]) for other in chosen):
            chosen.append(int(at))
    return draws[chosen], scores[chosen]


def _is_taken(points: Matrix, taken: Matrix) -> Mask:
    known = {row.tobytes() for row in np.ascontiguousarray(np.round(taken, 9) + 0.0)}
    return np.array([row.tobytes() in known for row in np.ascontiguousarray(np.round(points, 9) + 0.0)], dtype=bool)

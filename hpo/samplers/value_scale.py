"""The values of trials on a scale that a Gaussian process can model: small is good, and failures are bad."""

import numpy as np

from hpo.samplers.encoding import Matrix

ENOUGH_FOR_SHAPE = 6
"""From so many values on their distribution is bent towards a normal one."""
_POWERS = np.linspace(-2.0, 2.5, 46)
_TOP = 5.0


def levelled(values: Matrix) -> Matrix:
    """Values with mean 0 and deviation 1, bent to be as normal as can be; NaN becomes the worst of them.

    What is far off on the bad side is drawn in first: how bad it is says nothing about where the best is. At least
    one value must be a number, and they must differ.
    """
    finite = np.isfinite(values)
    known = values[finite] / max(float(np.abs(values[finite]).max()), 1e-300)  # sums of huge values overflow
    scaled = _standard(_drawn_in(known))
    if len(scaled) >= ENOUGH_FOR_SHAPE:
        scaled = _standard(_bent(scaled))
    levels = np.full(len(values), scaled.max())
    levels[finite] = scaled
    return levels


def _drawn_in(values: Matrix) -> Matrix:
    """Nothing lies further above the best value than five times as far as the median."""
    low, middle = np.quantile(values, (0.0, 0.5))
    return np.minimum(values, low + _TOP * (middle - low)) if middle > low else values


def _standard(values: Matrix) -> Matrix:
    spread = float(values.std())
    result: Matrix = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return result


def _bent(values: Matrix) -> Matrix:
    """The power transformation of Yeo and Johnson (2000) that the values are likeliest normal after."""
    bent = _yeo_johnson(values[None, :], _POWERS[:, None])
    slope = (_POWERS - 1.0) * float(np.sum(np.sign(values) * np.log1p(np.abs(values))))
    likelihood = slope - 0.5 * len(values) * np.log(bent.var(axis=1) + 1e-12)
    result: Matrix = bent[int(np.argmax(likelihood))]
    return result


def _yeo_johnson(values: Matrix, power: Matrix) -> Matrix:
    up, down = np.log1p(np.maximum(values, 0.0)), np.log1p(np.maximum(-values, 0.0))
    above, below = power + 0.0, 2.0 - power
    rising = np.where(np.abs(above) < 1e-9, up, np.expm1(above * up) / np.where(np.abs(above) < 1e-9, 1.0, above))
    falling = np.where(np.abs(below) < 1e-9, down, np.expm1(below * down) / np.where(np.abs(below) < 1e-9, 1.0, below))
    result: Matrix = np.where(values >= 0, rising, -falling)
    return result

"""A Gaussian process over encoded points: fitted to few values in milliseconds, in numpy and scipy alone.

scikit-learn's own takes several times as long for each step of the fit, knows no priors (which matter most while there
are few values), and no distance between choices.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from hpo.samplers.encoding import Mask, Matrix, distances

LENGTH_MEAN, LENGTH_SD = -1.3, 0.8
"""The prior of the logarithm of a length scale; half the logarithm of the number of columns is added to the mean."""
SIGNAL_SD = 1.0
NOISE_MEAN, NOISE_SD = -8.0, 2.0
"""Of the logarithm of the noise's variance, where all values have variance 1."""
STEPS = 60
_NOISE_BOUNDS = (math.log(1e-6), 0.0)
_JITTER = 1e-9
_ROOT5 = math.sqrt(5.0)
_IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Shape:
    """Hyperparameters: inverse squared length scales by column, signal and noise variance, all as logarithms."""

    weights: Matrix
    signal: float
    noise: float


@dataclass(frozen=True)
class GaussianProcess:
    """A Matern-5/2 process with a length scale for each column, conditioned on values at points."""

    points: Matrix
    values: Matrix
    is_choice: Mask
    shape: Shape

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """Mean and standard deviation of the function, noise left out, at points."""
        lower, solved = self._solved
        cross = self._covariance(points)
        explained = solve_triangular(lower, cross.T, lower=True, check_finite=False)
        signal = math.exp(self.shape.signal)
        variance = signal - np.einsum("ij,ij->j", explained, explained)
        return cross @ solved, np.sqrt(np.maximum(variance, 1e-12 * signal))

    def believing(self, points: Matrix) -> "GaussianProcess":
        """The same process as if its own means had been seen at these points."""
        return self._with(points, self.predict(points)[0]) if len(points) else self

    def told(self, points: Matrix, value: float) -> "GaussianProcess":
        """The same process as if this value had been seen at these points."""
        return self._with(points, np.full(len(points), value)) if len(points) else self

    def _with(self, points: Matrix, values: Matrix) -> "GaussianProcess":
        together = np.vstack([self.points, points])
        return GaussianProcess(together, np.concatenate([self.values, values]), self.is_choice, self.shape)

    @cached_property
    def _solved(self) -> tuple[Matrix, Matrix]:
        covariance = self._covariance(self.points)
        covariance[np.diag_indices_from(covariance)] += math.exp(self.shape.noise) + _JITTER
        lower = cholesky(covariance, lower=True)
        return lower, cho_solve((lower, True), self.values)

    def _covariance(self, points: Matrix) -> Matrix:
        """Between these points and its own."""
        weights, numbers = np.exp(self.shape.weights), ~self.is_choice
        scale = np.sqrt(weights[numbers])
        left, right = points[:, numbers] * scale, self.points[:, numbers] * scale
        squared = (left * left).sum(1)[:, None] + (right * right).sum(1)[None, :] - 2.0 * (left @ right.T)
        for at in np.flatnonzero(self.is_choice):
            squared += weights[at] * (points[:, at][:, None] != self.points[:, at][None, :])
        root = _ROOT5 * np.sqrt(np.maximum(squared, 0.0))
        covariance: Matrix = math.exp(self.shape.signal) * (1.0 + root + root * root / 3.0) * np.exp(-root)
        return covariance


def fitted(points: Matrix, values: Matrix, is_choice: Mask) -> GaussianProcess:
    """The process whose hyperparameters are the likeliest, given values of mean 0 and variance 1 and the priors above.

    Expected length scales grow with the number of columns (Hvarfner et al. 2024, "Vanilla Bayesian optimization
    performs great in high dimensions"), or else every point of a large space would be far from every other. The
    search for them begins twice: at the prior, and at short lengths with much noise.
    """
    width = points.shape[1]
    fit = _Fit(distances(points, points, is_choice), values)
    bounds = [(-12.0, 10.0)] * width + [(-4.0, 4.0), _NOISE_BOUNDS]
    starts = [fit.expected, np.array([*[1.0] * width, 0.0, -2.0])]
    ends = [
        minimize(fit, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}) for start in starts
    ]
    best = min(ends, key=lambda end: float(end.fun)).x
    return GaussianProcess(points, values, is_choice, Shape(best[:width], float(best[width]), float(best[width + 1])))


class _Fit:
    """The negative logarithm of the posterior of the hyperparameters, and its slope."""

    def __init__(self, squared: Matrix, values: Matrix) -> None:
        width, count, _ = squared.shape
        self._flat = squared.reshape(width, -1)
        self._values = values
        self._identity = np.eye(count)
        length = LENGTH_MEAN + 0.5 * math.log(width)
        self.expected = np.array([*[-2.0 * length] * width, 0.0, NOISE_MEAN])
        self._precision = np.array([*[(2 * LENGTH_SD) ** -2] * width, SIGNAL_SD**-2, NOISE_SD**-2])

    def __call__(self, theta: Matrix) -> tuple[float, Matrix]:
        *_, signal, noise = (float(part) for part in np.exp(theta))
        weights, count = np.exp(theta[:-2]), len(self._values)
        root = _ROOT5 * np.sqrt((weights @ self._flat).reshape(count, count))
        decay = np.exp(-root)
        correlation = (1.0 + root + root * root / 3.0) * decay
        covariance = signal * correlation + (noise + _JITTER) * self._identity
        try:
            lower = cholesky(covariance, lower=True, check_finite=False)
        except LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(theta)
        inverse = cho_solve((lower, True), self._identity, check_finite=False)
        solved = inverse @ self._values
        inner = np.outer(solved, solved) - inverse
        lengthwise = self._flat @ (inner * (-5.0 / 6.0 * signal * (1.0 + root) * decay)).ravel()
        slope = 0.5 * np.array(
            [*(weights * lengthwise), signal * np.sum(inner * correlation), noise * float(np.trace(inner))]
        )
        likelihood = -0.5 * float(self._values @ solved) - float(np.sum(np.log(np.diag(lower))))
        off = theta - self.expected
        return 0.5 * float(off @ (self._precision * off)) - likelihood, self._precision * off - slope

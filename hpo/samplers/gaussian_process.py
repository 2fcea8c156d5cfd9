"""A Gaussian process over encoded points: fitted to few values in milliseconds, in numpy and scipy alone."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from hpo.samplers.encoding import Mask, Matrix, distances

_NOISE = (math.log(1e-6), math.log(1.0))
_ROOT5 = math.sqrt(5.0)
FAR = 1e6


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

    @cached_property
    def _solved(self) -> tuple[Matrix, Matrix]:
        spread = np.tensordot(np.exp(self.shape.weights), distances(self.points, self.points, self.is_choice), axes=1)
        covariance = math.exp(self.shape.signal) * _matern(spread)
        covariance[np.diag_indices_from(covariance)] += math.exp(self.shape.noise) + 1e-9
        lower = cholesky(covariance, lower=True)
        return lower, cho_solve((lower, True), self.values)

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """Mean and standard deviation of the function, noise left out, at points."""
        lower, solved = self._solved
        spread = _spread(points, self.points, self.is_choice, np.exp(self.shape.weights))
        signal = math.exp(self.shape.signal)
        cross = signal * _matern(spread)
        explained = solve_triangular(lower, cross.T, lower=True, check_finite=False)
        variance = signal - np.einsum("ij,ij->j", explained, explained)
        return cross @ solved, np.sqrt(np.maximum(variance, 1e-12 * signal))

    def believing(self, points: Matrix) -> "GaussianProcess":
        """The same process as if its own means had been seen at these points."""
        if not len(points):
            return self
        means = self.predict(points)[0]
        together = np.vstack([self.points, points])
        return GaussianProcess(together, np.concatenate([self.values, means]), self.is_choice, self.shape)


def fitted(points: Matrix, values: Matrix, is_choice: Mask, *, starts: int = 2) -> GaussianProcess:
    """The process whose hyperparameters are the likeliest given the values and the priors below.

    The prior of length scales grows with the number of columns (Hvarfner et al. 2024, "Vanilla Bayesian optimization
    performs great in high dimensions"), which keeps the process from calling every point far from every other.
    """
    squared = distances(points, points, is_choice)
    flat = squared.reshape(len(squared), -1)
    width, count = points.shape[1], len(values)
    centre = -2.0 * (LENGTH_MEAN + 0.5 * math.log(width))
    identity = np.eye(count)

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        weights, signal, noise = np.exp(theta[:width]), math.exp(theta[width]), math.exp(theta[width + 1])
        root = np.sqrt((weights @ flat).reshape(count, count))
        decay = np.exp(-_ROOT5 * root)
        correlation = (1.0 + _ROOT5 * root + 5.0 / 3.0 * root * root) * decay
        covariance = signal * correlation
        covariance[np.diag_indices(count)] += noise + 1e-9
        try:
            lower = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return FAR, np.zeros_like(theta)
        inverse = cho_solve((lower, True), identity, check_finite=False)
        solved = inverse @ values
        inner = np.outer(solved, solved) - inverse
        slope = -5.0 / 6.0 * signal * (1.0 + _ROOT5 * root) * decay
        gradient = np.empty_like(theta)
        gradient[:width] = 0.5 * weights * (flat @ (inner * slope).ravel())
        gradient[width] = 0.5 * signal * float(np.sum(inner * correlation))
        gradient[width + 1] = 0.5 * noise * float(np.trace(inner))
        likelihood = -0.5 * float(values @ solved) - float(np.sum(np.log(np.diag(lower))))
        offsets = np.concatenate([(theta[:width] - centre) / (2 * LENGTH_SD) ** 2, [theta[width] / SIGNAL_SD**2, (theta[width + 1] - NOISE_MEAN) / NOISE_SD**2]])
        deviation = theta - np.concatenate([np.full(width, centre), [0.0, NOISE_MEAN]])
        return -likelihood + 0.5 * float(offsets @ deviation), offsets - gradient

    bounds = [(-12.0, 10.0)] * width + [(-4.0, 4.0), _NOISE]
    best, found = math.inf, None
    for start in range(starts):
        first = np.concatenate([np.full(width, (centre, 1.0)[start % 2]), [0.0, (NOISE_MEAN, -2.0)[start % 2]]])
        done = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
        if done.fun < best:
            best, found = done.fun, done.x
    theta = found if found is not None else np.concatenate([np.full(width, centre), [0.0, -4.0]])
    return GaussianProcess(points, values, is_choice, Shape(theta[:width], float(theta[width]), float(theta[width + 1])))


LENGTH_MEAN, LENGTH_SD, SIGNAL_SD, NOISE_MEAN, NOISE_SD = 0.0, 1.0, 1.0, -8.0, 2.0


def _matern(squared: Matrix) -> Matrix:
    root = _ROOT5 * np.sqrt(squared)
    result: Matrix = (1.0 + root + root * root / 3.0) * np.exp(-root)
    return result


def _spread(left: Matrix, right: Matrix, is_choice: Mask, weights: Matrix) -> Matrix:
    """Weighted squared distances, without a matrix for each column."""
    scaled = np.sqrt(weights)
    a, b = left[:, ~is_choice] * scaled[~is_choice], right[:, ~is_choice] * scaled[~is_choice]
    spread = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2.0 * (a @ b.T), 0.0)
    for at in np.flatnonzero(is_choice):
        spread += weights[at] * (left[:, at][:, None] != right[:, at][None, :])
    return spread

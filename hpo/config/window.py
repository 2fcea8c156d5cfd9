"""How far ahead of the trials that have ended a sweep may go."""

from hpo.config.schema import SweepConfig

LEARN_NOTHING = frozenset({"random", "grid"})
"""Samplers to which the trials told make no difference."""

MANY = 64
"""Jobs up to which 2 x n_jobs keeps them busy where only failures can end the sweep early (docs/benchmarks.md)."""

WIDE = 8
"""Times n_jobs: the window of more jobs than those."""


def learns(config: SweepConfig) -> bool:
    """Whether what is asked or pruned depends on the trials told before."""
    reuses = config.duplicates == "reuse"
    return config.engine.sampler not in LEARN_NOTHING or config.pruner is not None or reuses


def is_wide(config: SweepConfig) -> bool:
    """Whether the file leaves the window to us and a wide one costs nothing.

    No trial is another one by it: nobody learns, and nothing can end the sweep early but failures, of which there are
    then more until it does.
    """
    parallel, budget = config.parallel, config.budget
    may_end_early = budget.patience is not None or config.metric.target is not None
    return parallel.window is None and parallel.n_jobs > MANY and not learns(config) and not may_end_early


def window_of(config: SweepConfig) -> int | None:
    """The size of the sweep's window, None where it is free.

    A wide one stays out of `canonical`, which has `rolling_window`, as it was before there were wide ones: the trials
    are the same.
    """
    return WIDE * config.parallel.n_jobs if is_wide(config) else config.parallel.rolling_window

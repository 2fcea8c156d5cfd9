"""The settings of the driver."""

from dataclasses import dataclass, field

from hpo.budget import Budget
from hpo.front import Goals
from hpo.trial import Goal


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do: settings that do not change while it runs.

    `others` are the metrics after the first. `learns`: what is asked or pruned depends on the trials told before.
    """

    metric: str
    goal: Goal
    seed: int
    window: int | None
    budget: Budget
    others: Goals = field(default_factory=dict)
    learns: bool = True

    @property
    def goals(self) -> Goals:
        """Which way each metric is better."""
        return {self.metric: self.goal, **self.others}

"""Which trials run once more because their worker was lost, which says nothing about their params."""

from collections import Counter

from hpo.trial import Outcome

RETRIES = {"lost": 3, "signal:9": 1}
"""How often a trial is put back after each reason. `lost`: its worker died before the trial had begun, or after it had
ended. `signal:9`: nobody can tell who sent a SIGKILL; a person or a machine that is short of memory does it once, a
trial that brings it on itself does it again."""


class Losses:
    """Counts the lost attempts of each trial, as long as this driver lives."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def runs_again(self, outcome: Outcome) -> bool:
        """Whether the trial is to be put back; counts the loss if so."""
        again = self._counts[outcome.number] < RETRIES.get(outcome.reason, 0)
        self._counts[outcome.number] += again
        return again

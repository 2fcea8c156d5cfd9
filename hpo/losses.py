"""Attempts that were lost, which says nothing about the trial's params: one count and one bound for all of them.

The count stands on the trial's run, so it holds over any mix of lost workers and dead drivers: a trial that kills who
runs it outlives them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hpo.budget import LOST
from hpo.trial import Outcome

LOST_TAG = "hpo.lost"
"""How many attempts of a trial were lost."""
KILLED_TAG = "hpo.killed"
"""How many of those ended by a SIGKILL to their worker."""
RETRIES = 3
"""How often a trial is put back after a loss; after one more it is FAILED(lost), else it might be run for ever."""
KILLED = "signal:9"
KILLED_RETRIES = 1
"""How often after a SIGKILL: nobody can tell who sent it; a person or a machine that is short of memory does it once,
a trial that brings it on itself does it again."""


@dataclass(frozen=True)
class Losses:
    """The lost attempts of one trial."""

    lost: int = 0
    killed: int = 0

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Losses":
        """What the tags of its run tell."""
        return cls(_number(tags.get(LOST_TAG, "")), _number(tags.get(KILLED_TAG, "")))

    @property
    def tags(self) -> dict[str, str]:
        """The tags that tell it."""
        counts = {LOST_TAG: self.lost, KILLED_TAG: self.killed}
        return {name: str(count) for name, count in counts.items() if count}

    def after(self, reason: str) -> "Losses":
        """One attempt more ended for this reason; the same where that is no loss."""
        if reason not in (LOST, KILLED):
            return self
        return Losses(self.lost + 1, self.killed + (reason == KILLED))

    @property
    def run_again(self) -> bool:
        """Whether the trial is to be run once more."""
        return self.lost <= RETRIES and self.killed <= KILLED_RETRIES

    @property
    def error(self) -> str:
        """Why it is not, for people."""
        return f"who ran it died {self.lost} times while it ran; run it once more with: hpo resume --retry-failed"


class LossCount:
    """The losses of a sweep's trials, as its driver knows them."""

    def __init__(self) -> None:
        self._losses: dict[int, Losses] = {}

    def remember(self, number: int, tags: Mapping[str, str]) -> None:
        """What the store knows of a trial."""
        losses = Losses.of(tags)
        if losses.lost:
            self._losses[number] = losses

    def count(self, outcome: Outcome) -> Losses | None:
        """The trial's losses after this one, None where it was none: then they are forgotten."""
        before = self._losses.pop(outcome.number, Losses())
        after = before.after(outcome.reason)
        if after == before:
            return None
        self._losses[outcome.number] = after
        return after


def lost_for_good(outcome: Outcome, losses: Losses) -> Outcome:
    """The outcome of a trial that was put back too often; a second SIGKILL is taken for its own doing."""
    outcome = replace(outcome, tags={**outcome.tags, **losses.tags})
    if losses.killed > KILLED_RETRIES:
        return outcome
    return replace(outcome, reason=LOST, error=losses.error)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0

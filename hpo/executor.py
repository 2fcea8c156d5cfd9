"""The Executor protocol: runs trials in slots."""

from collections.abc import Callable, Sequence
from typing import Protocol

from hpo.trial import Outcome, Question, Trial

Answer = Callable[[Question], bool]
"""Decides whether a trial that asks is to stop."""


def go_on(question: Question) -> bool:  # noqa: ARG001  # whatever it is
    """The answer where nobody judges trials."""
    return False


class Executor(Protocol):
    """Runs trials; a slot is one worker that runs one trial at a time.

    The objective is given when the executor is made, so that it travels to each worker once.
    """

    @property
    def slots(self) -> int:
        """How many trials can run at once."""
        ...

    def submit(self, trial: Trial) -> None:
        """Starts a trial in a free slot; submitting more than `slots` open trials is a programming error."""
        ...

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        """What has ended since the last call; blocks up to `timeout` seconds for the first (None: for ever).

        Every submitted trial ends in exactly one Outcome, also when its worker died; nothing is raised for a trial's
        own faults. Empty where nothing ended in time or nothing is open.

        Where the executor was made with `asks`, trials that report wait for a reply: `answer` is called here, in the
        caller's thread, for each such question of an open trial, also with timeout 0. What it raises passes through.
        """
        ...

    def cancel(self, trial: Trial) -> None:
        """Ends a trial as soon as its kind of slot can (a process at once, a thread never); no Outcome follows."""
        ...

    def close(self) -> None:
        """Ends all workers; open trials are dropped. Safe to call twice."""
        ...


class FinishedResults(Protocol):
    """Outcomes that workers wrote down themselves, for the case that the driver dies before it has recorded them."""

    def adopt(self, trials: Sequence[Trial]) -> Sequence[Outcome]:
        """The outcomes of these attempts, which a driver that died left RUNNING; they need not be run again."""
        ...

    def forget(self, outcome: Outcome) -> None:
        """The outcome is on record."""
        ...

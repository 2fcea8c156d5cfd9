"""Who watches a sweep while it runs."""

from typing import Protocol

from hpo.progress import Progress
from hpo.trial import Outcome, Trial


class Watcher(Protocol):
    """Somebody who watches a sweep; told only what is already durable in the store."""

    def started(self, progress: Progress) -> None:
        """The sweep began, or goes on."""
        ...

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        """A trial ended and is on record."""
        ...

    def waiting(self, progress: Progress) -> None:
        """Nothing ended for a while; a chance to show the time."""
        ...


class Silence:
    """A watcher that says nothing."""

    def started(self, progress: Progress) -> None:
        """Nothing."""

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        """Nothing."""

    def waiting(self, progress: Progress) -> None:
        """Nothing."""


_: type[Watcher] = Silence

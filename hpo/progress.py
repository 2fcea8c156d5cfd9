"""Where a sweep stands: trials by state, the best so far, the budget used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hpo.trial import State

PROGRESS_TAG = "hpo.progress"


def seconds_used(tags: Mapping[str, str]) -> float:
    """The seconds a sweep has used, as its parent run's tags tell; 0 where they do not."""
    return float(json.loads(tags.get(PROGRESS_TAG, "{}")).get("seconds", 0.0))


@dataclass(frozen=True)
class Progress:
    """A moment of a sweep; `seconds` are counted over all its drivers. `n_trials` is the budget."""

    counts: Mapping[State, int]
    n_trials: int
    best: float | None
    best_number: int | None
    seconds: float

    @property
    def ended(self) -> int:
        """How many trials ended, whichever way."""
        return self.counts[State.COMPLETE] + self.counts[State.PRUNED] + self.counts[State.FAILED]

    def tags(self) -> dict[str, str]:
        """The parent run's tag that changes with every trial: one, because each tag costs every trial a write."""
        counts = {state.lower(): self.counts[state] for state in State}
        text = json.dumps({**counts, "n_trials": self.n_trials, "seconds": round(self.seconds, 3)})
        return {PROGRESS_TAG: text}

    def best_tags(self) -> dict[str, str]:
        """The parent run's tags that change with a new best."""
        return {"hpo.best_trial": str(self.best_number), "hpo.best_value": repr(self.best)}

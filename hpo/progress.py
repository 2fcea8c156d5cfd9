"""Where a sweep stands: trials by state, the best so far, the budget used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hpo.trial import State

PROGRESS_TAG = "hpo.progress"


def seconds_used(tags: Mapping[str, str]) -> float:
    """The seconds a sweep has used, as its parent run's tags tell; 0 where they do not."""
    return float(json.loads(tags.get(PROGRESS_TAG, "{}")).get("seconds", 0.0))


def front_size(tags: Mapping[str, str]) -> int | None:
    """The size of a sweep's front, as its parent run's tags tell; None where they do not."""
    size = json.loads(tags.get(PROGRESS_TAG, "{}")).get("front")
    return size if isinstance(size, int) else None


def counts_on_record(tags: Mapping[str, str]) -> dict[str, int]:
    """How many trials are in each state, as the parent run's tags tell; none where they do not."""
    try:
        told = json.loads(tags.get(PROGRESS_TAG, "{}"))
    except ValueError:  # anybody may set a tag
        return {}
    found = {state.value: told.get(state.lower()) for state in State} if isinstance(told, dict) else {}
    return {state: count for state, count in found.items() if isinstance(count, int)}


@dataclass(frozen=True)
class Progress:
    """A moment of a sweep; `seconds` are counted over all its drivers. `n_trials` is the budget.

    Of a sweep by several metrics `front` is the size of the front, and there is no best; else it is None.
    """

    counts: Mapping[State, int]
    n_trials: int
    best: float | None
    best_number: int | None
    seconds: float
    front: int | None = None

    @property
    def has_result(self) -> bool:
        """Whether a trial has a value."""
        return self.best is not None or bool(self.front)

    @property
    def ended(self) -> int:
        """How many trials ended, whichever way."""
        return self.counts[State.COMPLETE] + self.counts[State.PRUNED] + self.counts[State.FAILED]

    def tags(self) -> dict[str, str]:
        """The parent run's tag that changes with every trial: one, because each tag costs every trial a write."""
        counts = {state.lower(): self.counts[state] for state in State}
        front = {} if self.front is None else {"front": self.front}
        text = json.dumps({**counts, "n_trials": self.n_trials, "seconds": round(self.seconds, 3), **front})
        return {PROGRESS_TAG: text}

    def best_tags(self) -> dict[str, str]:
        """The parent run's tags that change with a new best."""
        return {"hpo.best_trial": str(self.best_number), "hpo.best_value": repr(self.best)}

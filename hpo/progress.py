"""Where a sweep stands: trials by state, the best so far, the budget used."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpo.trial import State


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
        """The parent run's tags that change with every trial."""
        counts = {f"hpo.{state.lower()}": str(self.counts[state]) for state in State if self.counts[state]}
        counts.setdefault("hpo.running", "0")
        return {**counts, "hpo.ended": f"{self.ended} of {self.n_trials}", "hpo.seconds": f"{self.seconds:.3f}"}

    def best_tags(self) -> dict[str, str]:
        """The parent run's tags that change with a new best."""
        return {"hpo.best_trial": str(self.best_number), "hpo.best_value": repr(self.best)}

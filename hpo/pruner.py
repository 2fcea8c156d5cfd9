"""The Pruner protocol: decides which running trials are not worth finishing."""

from typing import Protocol

from hpo.trial import Curve, Result, Trial


class Pruner(Protocol):
    """Judges trials by what they report, and is pure.

    What `should_prune` answers for trial n depends only on the rule, the goal, the seed, what trial n reported, and the
    trials 0..n-window that were told: never on a clock, on trials that are open, or on those after n-window, even if
    they are told by now. So a trial is pruned at the same step for any number of workers and any timing, and a fresh
    instance that was told the same trials decides the same. With a free window all told trials count.
    """

    def should_prune(self, trial: Trial, reported: Curve) -> bool:
        """Whether a trial that has reported this is to stop; the trials 0..number-window have been told by then."""
        ...

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial with its curve. Trials are told once each, in number order; failed ones too."""
        ...

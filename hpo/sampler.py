"""The Sampler protocol: proposes the params of trials."""

from collections.abc import Sequence
from typing import Protocol

from hpo.space import Params
from hpo.trial import Result, Trial


class Sampler(Protocol):
    """Proposes points, and is pure.

    What `ask` answers depends only on the space, the seed, the window, the numbers asked and the trials told so far in
    the order told: never on a clock, a global generator, a process, or on trials that are open. A fresh instance that
    was told the same trials answers the same, so resuming a sweep is telling its history.

    The driver asks for trial n after telling exactly the trials 0..n-window, in number order.
    """

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number, in order; fewer than asked where the space is exhausted.

        The values are plain Python ones that conform to the space, inactive parameters are absent.
        Asking a range equals asking each of its numbers on its own.
        """
        ...

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial. Trials are told once each, in number order; failed ones too."""
        ...

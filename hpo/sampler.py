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

    The driver asks for trial n after telling exactly the trials 0..n-window, in number order. Before them may come
    trials that nobody asked the sampler for, under negative numbers, in number order too: known points and trials of
    earlier sweeps. It learns from them as from any other; trial n is asked knowing just those up to n - window.
    """

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number, in order; fewer than asked where the space is exhausted.

        The values are plain Python ones that conform to the space, inactive parameters are absent.
        Asking a range equals asking each of its numbers on its own.
        """
        ...

    def redraw(self, number: int, attempt: int) -> Params | None:
        """Another point in the place of the one asked for: attempt 1, 2, ..; None where the sampler has no other.

        As pure as `ask`, and never changes what `ask` answers; attempt 0 is that very answer. Whatever point is run in
        the end is the one to be told. Attempts may give a point twice.
        """
        ...

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial. Trials are told once each, in number order; failed ones too."""
        ...

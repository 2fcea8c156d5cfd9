"""The rolling window: which trial may be asked for, and what it may know."""

from collections.abc import Callable

from hpo.trial import Result, State, Trial


class Window:
    """Tells ended trials in number order, as far as the next trial may know them.

    With size W, trial n is admitted once the trials 0..n-W have ended, and exactly those are told by then, even if
    later ones have ended too; so the trials of a sweep do not depend on timing or on the number of workers up to W.
    Size None tells whatever has ended: always admitted, not repeatable.

    Where nobody learns from the trials told, all that trial n waits for is whether the sweep is over by then. `spare`
    is how many failures more it takes for that, 0 where other things may end it: as long as all of 0..n-W that are
    open could fail without ending it, n is admitted too, and the trials are the very same ones.
    """

    def __init__(
        self, size: int | None, tell: Callable[[Trial, Result], None], spare: Callable[[], int] | None = None
    ) -> None:
        self._size = size
        self._tell = tell
        self._spare = spare
        self._ended: dict[int, tuple[Trial, Result]] = {}
        self._told = 0
        self._failed = 0  # of those ended and not told
        self._reached = 0  # the first number that no trial admitted so far had to know
        self._behind: set[int] = set()  # those open of the numbers before

    def end(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial, to be told when its turn comes."""
        if self._size is None:
            self._tell(trial, result)
            return
        self._ended[trial.number] = (trial, result)
        self._failed += result.state is State.FAILED
        self._behind.discard(trial.number)

    def admits(self, number: int) -> bool:
        """Whether this trial may be asked for now; tells first what it may know."""
        if self._size is None:
            return True
        last = number - self._size
        while self._told <= last and self._told in self._ended:
            trial, result = self._ended.pop(self._told)
            self._failed -= result.state is State.FAILED
            self._told += 1
            self._tell(trial, result)
        return self._told > last or self._makes_no_difference(last)

    def _makes_no_difference(self, last: int) -> bool:
        """Whether the next trial is the same whatever those up to `last` that are not told yet turn out to be."""
        if self._spare is None:
            return False
        while self._reached <= last:
            if self._reached >= self._told and self._reached not in self._ended:
                self._behind.add(self._reached)
            self._reached += 1
        return len(self._behind) + self._failed < self._spare()

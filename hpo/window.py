"""The rolling window: which trial may be asked for, and what it may know."""

from collections.abc import Callable

from hpo.trial import Result, Trial


class Window:
    """Tells ended trials in number order, as far as the next trial may know them.

    With size W, trial n is admitted once the trials 0..n-W have ended, and exactly those are told by then, even if
    later ones have ended too; so the trials of a sweep do not depend on timing or on the number of workers up to W.
    Size None tells whatever has ended: always admitted, not repeatable.
    """

    def __init__(self, size: int | None, tell: Callable[[Trial, Result], None]) -> None:
        self._size = size
        self._tell = tell
        self._ended: dict[int, tuple[Trial, Result]] = {}
        self._told = 0

    def end(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial, to be told when its turn comes."""
        if self._size is None:
            self._tell(trial, result)
        else:
            self._ended[trial.number] = (trial, result)

    def admits(self, number: int) -> bool:
        """Whether this trial may be asked for now; tells first what it may know."""
        if self._size is None:
            return True
        while self._told <= number - self._size:
            if self._told not in self._ended:
                return False
            self._tell(*self._ended.pop(self._told))
            self._told += 1
        return True

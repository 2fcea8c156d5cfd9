"""How the rows of the search are split into those to fit on and those to score on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from hpo.errors import ObjectiveError
from hpo.objectives.data import Table

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Validation:
    """Cross-validation with `folds`, or one split that holds out a share; the same splits for every trial.

    With `shuffle: false` folds are consecutive rows and a hold-out is the last rows, as for data in order of time.
    """

    folds: int = 5
    holdout: float | None = None
    shuffle: bool = True
    seed: int = 0

    def splits(self, table: Table, *, stratify: bool) -> Sequence[Split]:
        """Row numbers to fit on and to score on; classes keep their shares where `stratify` is set and rows shuffle.

        ObjectiveError where the rows do not allow it.
        """
        if self.holdout is not None and not self.shuffle:
            return [self._last_rows(table.rows, self.holdout)]
        try:
            return list(self._splitter(stratify).split(np.zeros(table.rows), table.y))
        except ValueError as error:
            raise ObjectiveError(f"cv: {_too_small(error, self.folds, table) or error}") from error

    def part(self, split: Split, table: Table, share: float, *, stratify: bool) -> Split:
        """The split with a share of the rows to fit on; a larger share has all rows of a smaller one.

        Rows are drawn by the seed, with the shares of classes kept and one row of each at least where `stratify` is
        set. Where rows are not shuffled they are the last ones.
        """
        fit_rows, test_rows = split
        count = max(1, round(share * len(fit_rows)))
        if count >= len(fit_rows):
            return split
        if not self.shuffle:
            return fit_rows[-count:], test_rows
        order = np.random.default_rng(self.seed).permutation(fit_rows)
        if stratify:
            order, classes = _classes_in_turn(order, np.asarray(table.y)[order])
            count = max(count, classes)
        return np.sort(order[:count]), test_rows

    def _splitter(self, stratify: bool) -> KFold | StratifiedKFold | ShuffleSplit | StratifiedShuffleSplit:
        if self.holdout is not None:
            kind = StratifiedShuffleSplit if stratify else ShuffleSplit
            return kind(n_splits=1, test_size=self.holdout, random_state=self.seed)
        folds = StratifiedKFold if stratify else KFold
        return folds(self.folds, shuffle=self.shuffle, random_state=self.seed if self.shuffle else None)

    def _last_rows(self, rows: int, share: float) -> Split:
        cut = rows - max(1, round(rows * share))
        if cut < 1:
            raise ObjectiveError(f"cv.holdout: a share of {share:g} of {rows} rows leaves none to fit on")
        return np.arange(cut), np.arange(cut, rows)


def _classes_in_turn(rows: NDArray[np.intp], y: NDArray[np.generic]) -> tuple[NDArray[np.intp], int]:
    """The rows so ordered that any first part has the shares of classes, and how many classes there are."""
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty(len(rows))
    rank[by_class] = np.arange(len(rows)) - (np.cumsum(counts) - counts)[codes[by_class]]
    return rows[np.argsort(rank / counts[codes], kind="stable")], len(counts)


def _too_small(error: ValueError, folds: int, table: Table) -> str:
    """The words for classes with fewer rows than folds; '' where something else is wrong."""
    if "members in each class" not in str(error):
        return ""
    classes, counts = np.unique(np.asarray(table.y), return_counts=True)
    largest, rows = str(classes[np.argmax(counts)]), int(counts.max())
    way_out = f"cv: {{folds: {rows}}} or fewer, or cv: {{holdout: 0.2}}" if rows > 1 else "is the target a number?"
    return (
        f"{folds} folds need {folds} rows of one class at least, and the largest, {largest:.40}, has {rows}; {way_out}"
    )

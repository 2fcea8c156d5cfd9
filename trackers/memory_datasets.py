"""The data sets of a tracker in memory: an experiment knows one of each name and digest, as MLflow's table does."""

from collections.abc import Sequence
from dataclasses import replace

from trackers.records import Dataset

Used = dict[tuple[str, str], Dataset]
"""What one run read, by name and digest."""


class KnownDatasets:
    """Every data set that was ever recorded, as it was said first."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Dataset] = {}

    def __len__(self) -> int:
        """How many; see `forget_after`."""
        return len(self._known)

    def add(self, used: Used, experiment: str, datasets: Sequence[Dataset]) -> None:
        """Adds what a run of the experiment read; of a data set that it read already the first context stays."""
        for data in datasets:
            known = self._known.setdefault((experiment, data.name, data.digest), data)
            used.setdefault((data.name, data.digest), replace(known, context=data.context))

    def forget_after(self, count: int) -> None:
        """Leaves the first so many: what came later was not recorded after all."""
        while len(self._known) > count:
            self._known.popitem()

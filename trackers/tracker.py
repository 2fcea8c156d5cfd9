"""The Tracker protocol: what a tracking store promises to those who write and read runs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from trackers.records import Artifact, Change, Fence, Point, Query, Run


class Tracker(Protocol):
    """A store of runs. One process writes a sweep; any number may read."""

    def experiment(self, name: str, artifact_location: str | None = None) -> str:
        """The id of the experiment of that name, made if missing; the location is used only when it is made."""
        ...

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        """Writes all changes in order in one transaction, or none; on return they are durable.

        With a fence (see `Ownership`) it holds only while its owner drives the sweep: `FencedOff` otherwise.
        Raises `Superseded`, `InvalidRecord`, `NameTaken`, `NotFound` or `StoreUnavailable`; then nothing was written.
        """
        ...

    def get(self, run_id: str) -> Run:
        """One run by its whole id, also a deleted one; `NotFound` where there is none."""
        ...

    def find(self, query: Query) -> Sequence[Run]:
        """The runs that answer the query, in its order; deleted ones are left out unless it asks for them.

        They may be given to others as well: do not change what is in them.
        """
        ...

    def history(self, run_id: str, metric: str | None = None) -> Sequence[Point]:
        """Every recorded point of one metric, or of all, by metric, step, timestamp, value."""
        ...

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """The manifest of the files the run keeps, by path."""
        ...

    def counts(self, parents: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """For each parent run its children counted by trial state (runs not ours: by the state their status means).

        Deleted children are left out; of a parent that is deleted they are the ones counted.
        """
        ...

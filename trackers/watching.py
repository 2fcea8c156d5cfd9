"""The Watching protocol: what those who look at a sweep read, again and again, while somebody writes it."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from trackers.records import Status, Value


class TrialHead(NamedTuple):
    """A child run without what it ran with: narrow, because there may be a hundred thousand.

    `number` is None for a run that is no trial of ours; its state is then what its status means. Times are
    milliseconds since 1970, UTC; `value` and `seconds` are those of `TrialFacts`.
    """

    run_id: str
    number: int | None
    name: str
    state: str
    value: float | None
    started: int | None
    ended: int | None
    seconds: float | None
    attempt: int | None
    reason: str


class TrialBody(NamedTuple):
    """The rest of what a table shows of a run: typed params, latest metrics, and the tags asked for."""

    params: Mapping[str, Value]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Stands(NamedTuple):
    """What changes of a sweep's own run while it is written; times are milliseconds since 1970, UTC."""

    status: Status
    started: int | None
    ended: int | None
    tags: Mapping[str, str]


class Watching(Protocol):
    """Reads one sweep for a page. No call keeps a transaction open after it returned."""

    def mark(self, parent: str) -> str:
        """A text that is another one once anything of the sweep was written; made to be asked for several times a
        second. It may also change for what was written elsewhere in the store."""
        ...

    def stands(self, parent: str) -> Stands:
        """How a run stands now; `NotFound` where there is none."""
        ...

    def heads(self, parent: str, *, after: int | None = None, also: Collection[str] = ()) -> Sequence[TrialHead]:
        """The children of a run that are not deleted, by number, start and id.

        With `after` only trials with larger numbers, and the runs of the ids in `also`, as far as they are children.
        """
        ...

    def bodies(
        self, parent: str, ids: Collection[str] | None = None, *, tags: Collection[str] = ()
    ) -> Mapping[str, TrialBody]:
        """What children of a run ran with and measured, by run id: all of them, or these; those that are gone, or
        whose params are no JSON object, are left out."""
        ...

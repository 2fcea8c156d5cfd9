"""The trials of one sweep in memory, kept up to date by reading little: what a page shows, and what changed since."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from hpo.constraints import INFEASIBLE_TAG
from hpo.constraints_on_record import is_measured
from hpo.front_on_record import goals_of
from hpo.progress import counts_on_record
from hpo.trial import Goal, State
from hpo.views.columns import TAGS, Columns, Row
from hpo.views.sample import SHOWN, sample, sample_text
from hpo.views.space_fields import recorded_space
from trackers.records import Run, Status, Value
from trackers.watching import TrialBody, TrialHead, Watching

OPEN = (State.RUNNING, State.WAITING)
ENDED = (State.COMPLETE, State.PRUNED, State.FAILED)
AGAIN = 30.0
"""Seconds after which everything is read once more while a driver writes: notes and later metrics change old trials."""
PAUSE = 2.0
SHARE = 20
"""Between two whole readings lie so many times the time that one takes."""
MOST_GONE = 5000
_STATES = frozenset(state.value for state in State)
_WHOLE, _NUMBER = (int, type(None)), (float, int, type(None))


class LiveTable:
    """Follows one sweep; not safe to use from several threads at once.

    `revision` grows with every change that was seen, from `first` on; `metric` is what runs that others wrote are
    valued by.
    """

    def __init__(
        self,
        watching: Watching,
        parent: Run,
        *,
        first: int = 1,
        metric: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watching = watching
        self._clock = clock
        self._heads: dict[str, TrialHead] = {}
        self._open: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        self._last = -1
        self._best: tuple[float, int | None, str] | None = None
        self._rows: dict[str, Row] = {}
        self._gone: list[tuple[int, str]] = []
        self._oldest = self.revision = first
        self._metric = parent.sweep.metric if parent.sweep else metric
        self._goals = goals_of(parent.sweep) if parent.sweep else {}
        self.goals = self._goals
        self.goal = next(iter(self._goals.values()), Goal.MINIMIZE)
        self._columns = self._new_columns(parent)
        self._tags = TAGS if is_measured(parent.sweep) else ()
        self._status: Status | None = None
        self._ended: Mapping[str, int] = {}
        self._read_at = float("-inf")
        self._bodies_at = float("-inf")
        self._cost = 0.0
        self._unsound: set[str] = set()
        self._bodiless: set[str] = set()
        self.is_behind = False
        """Whether there was something to read that has to wait; `refresh` is to be called again soon."""

    def refresh(self, parent: Run) -> bool:
        """Reads what is new of the sweep, whose run as it is now is given; whether anything changed."""
        before = self.revision
        if self._wants_all(parent):
            if self._clock() - self._read_at < max(PAUSE, SHARE * self._cost) and self._heads:
                self.is_behind = True
                self._read_new(parent)
            else:
                self._read_all(parent)
        else:
            self._read_new(parent)
        return self.revision != before

    def counts(self) -> dict[str, int]:
        """How many trials are in each state."""
        return {state.value: self._counts[state] for state in State if self._counts[state]}

    def best(self) -> tuple[float, int | None, str] | None:
        """Value, number and run id of the best trial that may be the best; of equal ones the first."""
        return self._best

    def rows(self) -> Sequence[Row]:
        """The trials that are shown."""
        return list(self._rows.values())

    def value(self, row: Row) -> float | None:
        """What a trial is ranked by."""
        return self._columns.value(row)

    def top(self, count: int) -> list[TrialHead]:
        """The best trials, best first."""
        complete = self._complete()
        complete.sort(key=lambda pair: pair[1], reverse=self.goal is Goal.MAXIMIZE)
        return [row.head for row, _ in complete[:count]]

    def valued(self) -> list[tuple[Mapping[str, Value], float]]:
        """Params and value of the complete trials that have one, in their order."""
        return [(row.body.params, value) for row, value in self._complete()]

    def _complete(self) -> list[tuple[Row, float]]:
        rows = [row for row in self._rows.values() if row.head.state == State.COMPLETE]
        return [(row, value) for row in rows if (value := self._columns.value(row)) is not None]

    def numbered(self, numbers: Collection[int]) -> list[TrialHead]:
        """The trials of these numbers, as far as they are shown."""
        return [row.head for row in self._rows.values() if row.head.number in numbers]

    def whole(self) -> dict[str, object]:
        """All trials that are shown, as columns."""
        return self._as_columns(list(self._rows.values()), whole=True, gone=())

    def since(self, revision: int | None) -> dict[str, object]:
        """The trials that are new or changed since then, and the ids of those that are gone; all where nobody knows."""
        if revision is None or not self._oldest <= revision <= self.revision:
            return self.whole()
        rows = [row for row in self._rows.values() if row.changed > revision]
        return self._as_columns(rows, whole=False, gone=[run_id for at, run_id in self._gone if at > revision])

    def _as_columns(self, rows: Sequence[Row], *, whole: bool, gone: Sequence[str]) -> dict[str, object]:
        shown, total = len(self._rows), len(self._heads) - len(self._bodiless)
        return {
            "revision": self.revision,
            "whole": whole,
            "total": total,
            "shown": shown,
            "sample": None if shown == total else sample_text(shown, total),
            "unreadable": len(self._unsound) + len(self._bodiless),
            "gone": list(gone),
            **self._columns.of(rows),
        }

    def _new_columns(self, parent: Run) -> Columns:
        space = recorded_space(parent)
        return Columns(space, self._metric, self._goals, is_judged=is_measured(parent.sweep))

    def _wants_all(self, parent: Run) -> bool:
        """Whether old trials may have changed: the sweep began or ended, some run again, or it is long ago."""
        ended = counts_on_record(parent.tags)
        fewer = any(ended.get(state, 0) < count for state, count in self._ended.items())
        is_new_status, self._status, self._ended = parent.status != self._status, parent.status, ended
        is_running = parent.status is Status.RUNNING and parent.sweep is not None
        return self.is_behind or fewer or is_new_status or not is_running or self._clock() - self._read_at > AGAIN

    def _read_all(self, parent: Run) -> None:
        began = self._clock()
        heads = self._numbered(self._sound(self._watching.heads(parent.id), is_all=True))
        found = {head.run_id: head for head in heads}
        if found != self._heads or began - self._bodies_at > AGAIN:
            shown = self._shown(heads)
            bodies = self._watching.bodies(parent.id, None if len(shown) == len(heads) else shown, tags=self._tags)
            if parent.sweep is None:
                self._columns = self._new_columns(parent)  # what looked like numbers may have a text by now
            self._take_all(heads, shown, bodies)
            self._bodies_at = began
        self.is_behind = False
        self._read_at = self._clock()
        self._cost = self._read_at - began

    def _sound(self, heads: Sequence[TrialHead], *, is_all: bool = False) -> Sequence[TrialHead]:
        """Those of which a row can be made; the others are counted. In SQLite a column may hold anything."""
        sound = [head for head in heads if _is_sound(head)]
        left_out = (
            {head.run_id for head in heads} - {head.run_id for head in sound} if len(sound) < len(heads) else set()
        )
        self._unsound = left_out if is_all else self._unsound | left_out
        return sound

    def _numbered(self, heads: Sequence[TrialHead]) -> Sequence[TrialHead]:
        """Runs that others wrote get numbers here, by their start, and keep them."""
        numbers = self._numbers
        return [
            head if head.number is not None else head._replace(number=numbers.setdefault(head.run_id, len(numbers)))
            for head in heads
        ]

    def _take_all(self, heads: Sequence[TrialHead], shown: set[str], bodies: Mapping[str, TrialBody]) -> None:
        """Makes these trials all there are; what is not as it was gets the next revision."""
        new, before = self.revision + 1, self._rows
        self._heads, self._open, self._counts, self._rows, self._bodiless = {}, set(), Counter(), {}, set()
        for head in heads:
            self._note(head)
            if head.run_id not in shown:
                continue
            if (body := bodies.get(head.run_id)) is None:
                self._bodiless.add(head.run_id)
            else:
                row = before.get(head.run_id)
                is_same = row is not None and row.head == head and row.body == body
                self._rows[head.run_id] = row if row is not None and is_same else Row(head, body, new)
        gone = [run_id for run_id in before if run_id not in self._rows]
        if gone or len(before) != len(self._rows) or any(row.changed == new for row in self._rows.values()):
            self._forget(gone, new)
        self._best = None
        for row in self._rows.values():
            self._judge(row)

    def _read_new(self, parent: Run) -> None:
        """Trials with larger numbers than those known, and what became of those that ran."""
        if parent.sweep is None:
            return  # what others write has no numbers to go on from: all of it is read, but not at every look
        found = self._sound(self._watching.heads(parent.id, after=self._last, also=self._open))
        changed = [head for head in found if self._heads.get(head.run_id) != head]
        lost = self._open - {head.run_id for head in found}
        if not changed and not lost:
            return
        new = self.revision + 1
        bodies = self._watching.bodies(parent.id, [head.run_id for head in changed], tags=self._tags)
        for run_id in lost:
            self._counts[self._heads.pop(run_id).state] -= 1
            self._open.discard(run_id)
            self._rows.pop(run_id, None)
            self._bodiless.discard(run_id)
        for head in changed:
            self._note(head)
            if (body := bodies.get(head.run_id)) is None:
                self._bodiless.add(head.run_id)
            else:
                row = self._rows[head.run_id] = Row(head, body, new)
                self._judge(row)
        self._forget(lost, new)

    def _note(self, head: TrialHead) -> None:
        before = self._heads.get(head.run_id)
        if before is not None:
            self._counts[before.state] -= 1
        self._heads[head.run_id] = head
        self._counts[head.state] += 1
        (self._open.add if head.state in OPEN else self._open.discard)(head.run_id)
        self._last = max(self._last, head.number if head.number is not None else -1)

    def _judge(self, row: Row) -> None:
        """Takes a trial for the best, if it is; of equal ones the first stays."""
        if row.head.state == State.COMPLETE and INFEASIBLE_TAG not in row.body.tags:
            value = self._columns.value(row)
            if value is not None and self.goal.better(value, self._best[0] if self._best else None):
                self._best = value, row.head.number, row.head.run_id

    def _shown(self, heads: Sequence[TrialHead]) -> set[str]:
        """The ids of the trials to show; those that are shown stay, until they become too many."""
        wanted = sample(heads, self.goal)
        if wanted is None:
            return {head.run_id for head in heads}
        stay = wanted | (self._rows.keys() & {head.run_id for head in heads})
        return stay if len(stay) <= 1.5 * SHOWN else wanted

    def _forget(self, gone: Collection[str], revision: int) -> None:
        self.revision = revision
        self._gone += [(revision, run_id) for run_id in gone]
        if len(self._gone) > MOST_GONE:
            self._gone, self._oldest = [], revision


def _is_sound(head: TrialHead) -> bool:
    return head.state in _STATES and head.number.__class__ in _WHOLE and head.value.__class__ in _NUMBER

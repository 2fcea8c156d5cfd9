"""A sweep in memory follows the store by reading little."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from hpo.trial import Goal
from hpo.views.live_table import AGAIN, PAUSE, LiveTable
from hpo.views.sample import ALL_UP_TO, BEST, FAILED, NEWEST, SHOWN, sample
from trackers.opening import Store, open_store
from trackers.records import (
    STATUS_OF_STATE,
    Change,
    Point,
    RunDeleted,
    RunEnded,
    RunStarted,
    RunUpdated,
    SweepFacts,
    TrialFacts,
)
from trackers.watching import TrialHead

SWEEP = "5" * 32


def trial_id(number: int) -> str:
    return f"{number:032x}"


def begun(number: int, attempt: int = 1) -> Change:
    facts = TrialFacts(number, {"x": number}, attempt=attempt)
    return RunStarted(trial_id(number), f"trial-{number}", "Default", 2, SWEEP, {"x": number}, trial=facts)


def ended(number: int, value: float | None, state: str = "COMPLETE", attempt: int = 1) -> Change:
    facts = TrialFacts(number, {"x": number}, state, attempt, value=value, seconds=0.5)
    points = [] if value is None else [Point("loss", value)]
    return RunEnded(trial_id(number), STATUS_OF_STATE[state], 3, points, trial=facts)


class Followed:
    """A store in memory, a table over it, and what is read for it."""

    def __init__(self) -> None:
        self.store: Store = open_store("memory://")
        self.store.tracker.record(
            [RunStarted(SWEEP, "s", "Default", 1, sweep=SweepFacts("{}", "h", "loss", "minimize", 1, 1))]
        )
        self.now = 0.0
        self.reads: list[object] = []
        watching = self.store.watching
        self.table = LiveTable(self, self.store.tracker.get(SWEEP), clock=lambda: self.now)  # type: ignore[arg-type]
        self._watching = watching

    def heads(self, parent: str, *, after: int | None = None, also: Collection[str] = ()) -> Sequence[TrialHead]:
        self.reads.append(("heads", after, sorted(also)))
        return self._watching.heads(parent, after=after, also=also)

    def bodies(self, parent: str, ids: Collection[str] | None = None, *, tags: Collection[str] = ()) -> object:
        self.reads.append(("bodies", None if ids is None else sorted(ids)))
        return self._watching.bodies(parent, ids, tags=tags)

    def write(self, *changes: Change, progress: str = "") -> None:
        more = [RunUpdated(SWEEP, tags={"hpo.progress": progress})] if progress else []
        self.store.tracker.record([*changes, *more])

    def look(self) -> dict:  # type: ignore[type-arg]
        """What is new for somebody who knew everything before."""
        before = self.table.revision
        self.reads.clear()
        self.table.refresh(self.store.tracker.get(SWEEP))
        return self.table.since(before)


def test_only_new_trials_and_those_that_ran_are_read_again() -> None:
    followed = Followed()
    followed.write(begun(0), begun(1))
    assert followed.look()["number"] == [0, 1]
    followed.write(ended(0, 0.5), begun(2))

    new = followed.look()

    assert (new["whole"], sorted(new["number"]), new["total"]) == (False, [0, 2], 3)
    assert followed.reads == [
        ("heads", 1, [trial_id(0), trial_id(1)]),
        ("bodies", [trial_id(0), trial_id(2)]),
    ]
    assert followed.table.counts() == {"RUNNING": 2, "COMPLETE": 1}


def test_nothing_new_is_no_new_revision() -> None:
    followed = Followed()
    followed.write(begun(0))
    followed.look()
    before = followed.table.revision
    assert followed.look()["number"] == []
    assert followed.table.revision == before


def test_the_best_follows_and_the_first_of_equal_ones_stays() -> None:
    followed = Followed()
    for number, value in ((0, 2.0), (1, 1.0), (2, 1.0)):
        followed.write(begun(number), ended(number, value))
        followed.look()
    assert followed.table.best() == (1.0, 1, trial_id(1))


def test_a_trial_that_runs_again_is_seen_by_the_counts_on_record() -> None:
    followed = Followed()
    followed.write(begun(0), ended(0, None, "FAILED"), progress='{"failed": 1, "complete": 0}')
    followed.look()
    followed.now += PAUSE + 1
    followed.write(begun(0, attempt=2), progress='{"failed": 0, "running": 1, "complete": 0}')
    assert followed.look()["attempt"] == [2]
    followed.write(ended(0, 0.5, attempt=2), progress='{"failed": 0, "complete": 1}')
    assert followed.look()["value"] == [0.5]
    assert followed.table.counts() == {"COMPLETE": 1}


def test_what_was_deleted_is_named_once_and_gone() -> None:
    followed = Followed()
    followed.write(begun(0), ended(0, 1.0), begun(1), ended(1, 0.5))
    first = followed.look()["revision"]
    followed.now += AGAIN + 1
    followed.write(RunDeleted(trial_id(1), 9))
    assert followed.look()["gone"] == [trial_id(1)]
    assert followed.table.best() == (1.0, 0, trial_id(0))
    assert followed.table.since(first)["gone"] == [trial_id(1)]
    assert followed.look()["gone"] == []


def test_a_trial_that_ran_and_was_deleted_goes_too() -> None:
    followed = Followed()
    followed.write(begun(0), begun(1))
    followed.look()
    followed.write(RunDeleted(trial_id(1), 9))
    assert followed.look()["gone"] == [trial_id(1)]
    assert followed.table.counts() == {"RUNNING": 1}


def test_metrics_that_came_later_are_seen_after_a_while() -> None:
    followed = Followed()
    followed.write(begun(0), ended(0, 1.0))
    followed.look()
    followed.write(RunUpdated(trial_id(0), points=[Point("seeds_mean_loss", 1.1)]))
    followed.now += AGAIN + 1
    assert followed.look()["metrics"]["seeds_mean_loss"] == [1.1]


def test_whole_readings_are_apart_and_what_waits_is_known() -> None:
    followed = Followed()
    followed.write(begun(0), ended(0, None, "FAILED"), progress='{"failed": 1}')
    followed.look()
    followed.write(begun(0, attempt=2), progress='{"failed": 0}')
    followed.look()
    assert followed.table.is_behind
    followed.now += PAUSE + 1
    assert followed.look()["attempt"] == [2]
    assert not followed.table.is_behind


def test_an_unknown_revision_gets_everything() -> None:
    followed = Followed()
    followed.write(begun(0), ended(0, 1.0))
    followed.look()
    for revision in (None, -1, 10**15):
        assert followed.table.since(revision)["whole"] is True


def test_choices_keep_their_places_for_those_who_know_them() -> None:
    followed = Followed()
    for number, kind in ((0, "b"), (1, "a"), (2, "b")):
        start = begun(number)
        assert isinstance(start, RunStarted)
        assert start.trial is not None
        followed.write(replace(start, params={"kind": kind}, trial=replace(start.trial, params={"kind": kind})))
        column = followed.look()["params"]["kind"]
    assert column == {"kind": "choice", "levels": ["b", "a"], "values": [0]}


def head(number: int, value: float | None, state: str = "COMPLETE") -> TrialHead:
    return TrialHead(trial_id(number), number, "", state, value, 1, 2, 0.1, 1, "")


def test_up_to_a_limit_all_trials_are_shown() -> None:
    assert sample([head(number, 1.0) for number in range(ALL_UP_TO)], Goal.MINIMIZE) is None


def test_trials_that_cannot_be_read_are_left_out_and_counted() -> None:
    followed = Followed()
    followed.write(*(change for number in range(4) for change in (begun(number), ended(number, float(number)))))
    heads, bodies = followed._watching.heads, followed._watching.bodies
    followed.heads = lambda *given, **more: [  # type: ignore[method-assign]
        head._replace(**{0: {"value": "text"}, 1: {"state": "WEIRD"}}.get(head.number, {}))  # type: ignore[arg-type]
        for head in heads(*given, **more)
    ]
    followed.bodies = lambda *given, **more: {  # type: ignore[method-assign]
        run_id: body for run_id, body in bodies(*given, **more).items() if run_id != trial_id(2)
    }
    seen = followed.look()
    assert (seen["number"], seen["unreadable"], seen["total"], seen["sample"]) == ([3], 3, 1, None)
    followed.write(begun(4), ended(4, 1.0))
    assert (followed.look()["number"], followed.table.whole()["unreadable"]) == ([4], 3)


def test_a_sample_has_the_best_the_newest_failures_and_what_runs() -> None:
    count = ALL_UP_TO + 10_000
    heads = [head(n, None, "FAILED") if n % 7 == 0 else head(n, float((n * 7919) % count)) for n in range(count)]
    heads[5] = head(5, None, "RUNNING")
    shown = sample(heads, Goal.MAXIMIZE)
    assert shown is not None
    best = sorted((each for each in heads if each.value is not None), key=lambda each: -(each.value or 0))[:BEST]
    failed = [each for each in heads if each.state == "FAILED"][-FAILED:]
    assert {each.run_id for each in [*best, *heads[-NEWEST:], *failed, heads[5]]} <= shown
    assert SHOWN - 10 <= len(shown) <= SHOWN
    others = sorted(int(run_id, 16) for run_id in shown if int(run_id, 16) < count - NEWEST)
    assert max(b - a for a, b in pairwise(others)) < 20

"""A replay goes on record below its trial, and is told to people and programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.cli.options import Shared
from hpo.cli.replay_view import show
from hpo.provenance.changed import Changed
from hpo.replaying.comparison import compare
from hpo.replaying.record import TrialRecord
from hpo.replaying.recorded_replay import FIRST_NUMBER, as_object, put_on_record
from hpo.replaying.replay import Replayed
from hpo.trial import Outcome, State, Trial
from trackers.errors import InvalidRecord
from trackers.memory_tracker import MemoryTracker
from trackers.records import Change, Fence, Point, Query, Run, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

SWEEP, TRIAL, FIRST, SECOND = "5" * 32, "1" * 32, "a" * 32, "b" * 32


class Rival(MemoryTracker):
    """Another replay is recorded just before this one, once."""

    rival: Sequence[Change] = ()

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        rival, self.rival = self.rival, ()
        if rival:
            super().record(rival, fence)
            raise InvalidRecord("that number is taken")
        super().record(changes, fence)


@pytest.fixture
def tracker(tmp_path: Path) -> Rival:
    made = Rival(str(tmp_path / "mlruns"))
    made.experiment("e")
    facts = TrialFacts(4, {"x": 0.5}, seed=7)
    ended = replace(facts, state="COMPLETE", value=1.0)
    sweep = SweepFacts(json.dumps({}), "hash", "loss", "minimize", 0, 1)
    made.record(
        [
            RunStarted(SWEEP, "iris", "e", 1, sweep=sweep),
            RunStarted(TRIAL, "trial-4", "e", 1, SWEEP, trial=facts),
            RunEnded(TRIAL, Status.FINISHED, 2, [Point("loss", 1.0)], trial=ended),
        ]
    )
    return made


def done(run_id: str, value: float, *changes: Changed) -> Replayed:
    facts = TrialFacts(4, {"x": 0.5}, "COMPLETE", seed=7)
    record = TrialRecord("iris#4", TRIAL, facts, [Point("loss", 1.0)])
    verdict = compare(record, replace(record, points=[Point("loss", value)]), changes=changes)
    outcome = Outcome(4, 1, State.COMPLETE, {"loss": value}, started=10)
    return Replayed(record, Trial(4, {"x": 0.5}, 7, run_id), outcome, verdict)


def below(tracker: MemoryTracker) -> Sequence[Run]:
    return tracker.find(Query(parent=TRIAL))


def test_it_is_a_run_below_the_trial_with_its_verdict(tracker: Rival, tmp_path: Path) -> None:
    put_on_record(tracker, tracker.get(SWEEP), done(FIRST, 1.0), user="me", folder=tmp_path)
    put_on_record(tracker, tracker.get(SWEEP), done(SECOND, 1.5), user="me", folder=tmp_path)
    assert [run.tags["hpo.replay"] for run in below(tracker)] == ["same", "differs"]
    assert [run.trial.number for run in below(tracker) if run.trial] == [FIRST_NUMBER, FIRST_NUMBER + 1]
    [run, _] = below(tracker)
    assert (run.name, run.tags["hpo.replay_of"], run.metrics) == ("iris-4-replay", TRIAL, {"loss": 1.0})
    [file] = tracker.artifacts(run.id)
    assert json.loads(Path(run.artifact_uri, file.path).read_text())["same"] is True
    assert [trial.id for trial in tracker.find(Query(parent=SWEEP))] == [TRIAL]


def test_two_at_once_get_two_numbers(tracker: Rival, tmp_path: Path) -> None:
    facts = TrialFacts(FIRST_NUMBER, {"x": 0.5})
    tracker.rival = [RunStarted(SECOND, "iris-4-replay", "e", 1, TRIAL, trial=facts)]
    put_on_record(tracker, tracker.get(SWEEP), done(FIRST, 1.0), user="me", folder=tmp_path)
    assert [run.trial.number for run in below(tracker) if run.trial] == [FIRST_NUMBER, FIRST_NUMBER + 1]


def test_numbers_that_are_none_are_texts_in_json() -> None:
    text = json.dumps(as_object(done(FIRST, math.nan).verdict), allow_nan=False)
    assert json.loads(text)["metrics"][0]["replayed"] == "nan"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], "all that is on record is as it was: the objective does not repeat itself"),
        (
            [Changed("package", "numpy", "1.26", "2.0")],
            "the first thing that is not as it was: package numpy: 1.26 -> 2.0",
        ),
    ],
)
def test_people_are_told_the_first_thing_that_differs(
    changes: Sequence[Changed], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show([done(FIRST, 1.5, *changes).verdict], Shared())
    printed = capsys.readouterr().out
    assert said in printed
    assert "loss    1.0       1.5            1  differs at step 0\n" in printed


def test_the_first_values_that_differ_are_told_whole_where_there_are_more(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (0.1 + 0.2, 1 / 3), (0.1 + 0.2 + 1e-16, 1 / 3)
    facts = TrialFacts(4, {}, "COMPLETE")
    sides = [
        TrialRecord("iris#4", TRIAL, facts, [Point("loss", value, step=step) for step, value in enumerate(values)])
        for values in (first, second)
    ]
    show([compare(*sides)], Shared())
    printed = capsys.readouterr().out
    assert "2  differs at step 0\nloss at step 0: 0.30000000000000004 -> 0.30000000000000016\n" in printed


def test_several_trials_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show([done(FIRST, 1.0).verdict, done(SECOND, 1.5).verdict], Shared())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["trial", "verdict", "metrics", "points", "differs"]
    assert printed[-1] == "1 of 2 trials are identical"

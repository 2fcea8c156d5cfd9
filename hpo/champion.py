"""The version that a winner has to beat: which one it is, its model's files, and what is on record of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.errors import HpoError
from hpo.front_on_record import goals_of
from hpo.gates import Verdict, judge_better, number_of
from hpo.trial import Goal
from trackers.errors import NotFound
from trackers.records import Artifact, ModelVersion, Run
from trackers.registry import Registry
from trackers.tracker import Tracker


class NotComparable(HpoError):
    """A version cannot be compared with a winner; the message says why."""


@dataclass(frozen=True)
class KeptFiles:
    """Where the files of a version's model lie, and which ones they are."""

    artifact_uri: str
    path: str
    files: Sequence[Artifact]


@dataclass(frozen=True)
class Comparing:
    """What a comparison needs beside the scores. `asked` is an alias or a version's number."""

    name: str
    asked: str | int
    metric: str
    goal: Goal
    margin: float

    def find(self, registry: Registry) -> ModelVersion | None:
        """The version to beat; None where there is none."""
        try:
            return registry.get(self.name, self.asked)
        except NotFound:
            return None

    def expected(self, holder: ModelVersion | None) -> dict[str, int | None]:
        """What must still be so when the winner takes an alias (see `NewVersion.expected`)."""
        return {} if isinstance(self.asked, int) else {self.asked: holder.version if holder else None}

    def without_holder(self, winner: Run) -> Verdict:
        """Where there is nobody to beat: an alias that nothing has is free, a number that is not there a mistake."""
        wanted = f"{self.metric} better than that of {self._holder()}"
        if isinstance(self.asked, int):
            text = f"model {self.name} has no version {self.asked} to be compared with"
            return Verdict("better_than", False, wanted, "no such version", text, trial=number_of(winner))
        text = f"model {self.name} has no {self.asked} yet, so there was nothing to beat"
        return Verdict("better_than", True, wanted, f"no {self.asked} yet", text, trial=number_of(winner))

    def not_comparable(self, winner: Run, holder: ModelVersion, why: str) -> Verdict:
        """Where the two cannot be compared: then nothing is known to be better."""
        wanted = f"{self.metric} better than that of version {holder.version}"
        text = f"version {holder.version} ({self._holder()}) cannot be compared with: {why}"
        return Verdict("better_than", False, wanted, why, text, trial=number_of(winner))

    def verdict(self, winner: Run, holder: ModelVersion, ours: float, theirs: float, metric: str) -> Verdict:
        """Whether the winner is better by the margin; `metric` says what the scores are."""
        return judge_better(
            ours,
            theirs,
            metric=metric,
            goal=self.goal,
            margin=self.margin,
            holder=f"version {holder.version}",
            trial=number_of(winner),
        )

    def by_record(self, winner: Run, sweep: Run, holder: ModelVersion, tracker: Tracker) -> Verdict:
        """The verdict by validation scores on record, where both were validated in the same way on the same data."""
        try:
            theirs = _run_of(holder, tracker)
            other = tracker.get(theirs.parent_id) if theirs.parent_id else None
            _check_same_validation(sweep, other, self.metric)
            mean = f"seeds_mean_{self.metric}"
            name = mean if mean in winner.metrics and mean in theirs.metrics else self.metric
            if name not in theirs.metrics:
                raise NotComparable(f"its run has no {name} on record")
        except NotComparable as error:
            return self.not_comparable(winner, holder, str(error))
        shown = f"{name} (validation)"
        return self.verdict(winner, holder, winner.metrics[name], theirs.metrics[name], shown)

    def _holder(self) -> str:
        return f"version {self.asked}" if isinstance(self.asked, int) else f"the {self.asked}"


def kept_files(version: ModelVersion, tracker: Tracker) -> KeptFiles:
    """The files of a version's model by the manifest of its run; NotComparable where nothing vouches for them."""
    run = _run_of(version, tracker)
    for model in run.models:
        if model.path and (model.model_id == version.model_id or model.uri == version.source):
            files = [file for file in tracker.artifacts(run.id) if file.path.startswith(f"{model.path}/")]
            if files:
                return KeptFiles(run.artifact_uri, model.path, files)
    raise NotComparable("its files stand in no manifest of this store, so nothing vouches for them")


def _run_of(version: ModelVersion, tracker: Tracker) -> Run:
    try:
        return tracker.get(version.run_id or "")
    except NotFound:
        raise NotComparable("the run it came from is not in this store") from None


def _check_same_validation(ours: Run, theirs: Run | None, metric: str) -> None:
    """NotComparable where two sweeps did not validate by the same metric, in the same way, on the same data."""
    hint = "; give objective.sklearn.data.test, then both models are scored on that"
    if theirs is None or theirs.sweep is None or ours.sweep is None:
        raise NotComparable(f"it came from no sweep of ours, so nobody knows how it was validated{hint}")
    if metric not in goals_of(theirs.sweep):
        raise NotComparable(f"its sweep {theirs.name} was ranked by {theirs.sweep.metric}, not by {metric}{hint}")
    digests = [run.tags.get("hpo.data.train") for run in (ours, theirs)]
    if digests[0] is None or digests[0] != digests[1]:
        raise NotComparable(
            f"its sweep {theirs.name} saw other data ({digests[1] or 'unknown'}, not {digests[0]}){hint}"
        )
    if (validation := _validation_of(ours)) is None or validation != _validation_of(theirs):
        raise NotComparable(f"its sweep {theirs.name} was validated in another way (objective.sklearn.cv){hint}")


def _validation_of(sweep: Run) -> object:
    try:
        objective = json.loads(sweep.sweep.config)["objective"] if sweep.sweep else {}
        return objective["sklearn"]["cv"]
    except (ValueError, KeyError, TypeError):
        return None

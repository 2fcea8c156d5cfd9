"""Judges finalists, and who they have to beat, on the held-out test data: each once, and that is on record."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.build import Parts
from hpo.carrying_out import carry_out
from hpo.champion import KeptFiles, NotComparable, kept_files
from hpo.errors import NothingFound
from hpo.interruption import Interruption
from hpo.latest_points import latest_points
from hpo.losses import Losses
from hpo.promotion import model_of
from hpo.scratch import new_scratch
from hpo.stored_model import StoredModel
from hpo.trial import Metrics, Outcome, State, Trial
from trackers.errors import NotFound
from trackers.failpoints import reach
from trackers.records import Change, Fence, ModelVersion, Run, RunUpdated
from trackers.tracker import Tracker

SCORED_TAG = "hpo.test_scored"
"""On a trial: which attempt's `test_` metrics are on record, and what test data they were taken on."""
HOLDER_TAG = "hpo.champion_scored"
"""On a sweep: the scores of the version that its winner was compared with last, as JSON."""


@dataclass(frozen=True)
class Scores:
    """What came of judging: why not, for each finalist (by run id) that could not be; and the holder's scores."""

    failures: Mapping[str, str]
    holder: Metrics
    holder_failure: str = ""


@dataclass(frozen=True)
class Judging:
    """What judging takes; `tracker` and `fence` are those of the sweep's driver."""

    parts: Parts
    tracker: Tracker
    parent_id: str
    interruption: Interruption
    fence: Fence | None = None

    @property
    def data(self) -> str:
        """What identifies the test data: its digest, or the function that knows it."""
        registration = self.parts.config.registration
        if registration and isinstance(registration.test, str):
            return registration.test
        return next((data.digest for data in self.parts.datasets if data.context == "test"), "")

    def judge(self, finalists: Sequence[Run], holder: ModelVersion | None) -> Scores:
        """Scores whatever is not yet on record, and puts it there. BrokenOff where the work is to end."""
        job = _Job(self, finalists, holder)
        if job.waiting:
            scratch = new_scratch()
            executor = self.parts.test_executor(scratch, {n: StoredModel(kept) for n, kept in job.models.items()})
            try:
                carry_out(executor, job.waiting, job, self.interruption)
            finally:
                executor.close()
                shutil.rmtree(scratch, ignore_errors=True)
        return Scores(job.failures, job.holder_scores, job.holder_failure)

    def record(self, change: Change) -> None:
        """Puts a change on record."""
        reach("test.before_commit")
        self.tracker.record([change], self.fence)
        reach("test.after_commit")

    def known_of(self, holder: ModelVersion) -> Metrics | None:
        """The holder's scores on this data, where this sweep took them before."""
        try:
            known = json.loads(self.tracker.get(self.parent_id).tags.get(HOLDER_TAG, "{}"))
        except ValueError:
            return None
        same = known.get("of") == _identity(holder) and known.get("data") == self.data
        metrics: Metrics | None = known.get("metrics") if same else None
        return metrics

    def remember(self, holder: ModelVersion, metrics: Metrics) -> None:
        """Puts the holder's scores on record."""
        known = {"of": _identity(holder), "data": self.data, "metrics": dict(metrics)}
        self.record(RunUpdated(self.parent_id, tags={HOLDER_TAG: json.dumps(known)}))


@dataclass
class _Job:
    """Everybody who is still to be scored, told apart by a number: finalists first, the holder last."""

    judging: Judging
    finalists: Sequence[Run]
    holder: ModelVersion | None
    waiting: list[Trial] = field(default_factory=list)
    models: dict[int, KeptFiles] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    holder_scores: Metrics = field(default_factory=dict)
    holder_failure: str = ""

    def __post_init__(self) -> None:
        for number, run in enumerate(self.finalists):
            if not self._is_scored(run):
                self._plan(number, run)
        if self.holder is not None:
            self._plan_holder(self.holder)

    def is_wanted(self, trial: Trial) -> bool:  # noqa: ARG002  # as Job has it
        """Everybody is."""
        return True

    def started(self, trial: Trial) -> None:
        """Nothing is on record of a score that is being taken."""

    def put_back(self, trial: Trial, losses: Losses | None) -> None:
        """Nor of one that was not."""

    def ended(self, trial: Trial, outcome: Outcome) -> None:
        """A score is on record as soon as it is taken."""
        failure = "" if outcome.state is State.COMPLETE else f"{outcome.reason} {outcome.error}".strip()
        if trial.number == len(self.finalists) and self.holder is not None:
            self.holder_failure, self.holder_scores = failure, outcome.metrics
            if not failure:
                self.judging.remember(self.holder, outcome.metrics)
            return
        run = self.finalists[trial.number]
        if failure:
            self.failures[run.id] = failure
            return
        now = round(time.time() * 1000)
        points = latest_points(self.judging.tracker, run.id, outcome.metrics, now)
        self.judging.record(RunUpdated(run.id, points=points, tags={SCORED_TAG: self._mark(run)}))

    def _plan(self, number: int, run: Run) -> None:
        if not self.judging.parts.refits:
            try:
                model = model_of(run)
            except NothingFound:
                self.failures[run.id] = "it keeps no model"
                return
            files = [file for file in self.judging.tracker.artifacts(run.id) if file.path.startswith(f"{model.path}/")]
            self.models[number] = KeptFiles(run.artifact_uri, model.path, files)
        seed = run.trial.seed if run.trial else 0
        self.waiting.append(Trial(number, run.trial.params if run.trial else run.params, seed, run.id))

    def _plan_holder(self, holder: ModelVersion) -> None:
        known = self._known_as_finalist(holder) or self.judging.known_of(holder)
        if known is not None:
            self.holder_scores = known
            return
        number = len(self.finalists)
        try:
            self.models[number] = kept_files(holder, self.judging.tracker)
        except NotComparable as error:
            self.holder_failure = str(error)
            return
        self.waiting.append(Trial(number, {}, 0, holder.run_id or ""))

    def _known_as_finalist(self, holder: ModelVersion) -> Metrics | None:
        """The scores of a holder that came out of this very sweep: it was judged then."""
        try:
            run = self.judging.tracker.get(holder.run_id or "")
        except NotFound:
            return None
        if run.parent_id != self.judging.parent_id or not self._is_scored(run):
            return None
        return {name: value for name, value in run.metrics.items() if name.startswith("test_")}

    def _is_scored(self, run: Run) -> bool:
        name = f"test_{self.judging.parts.config.decisive}"
        return run.tags.get(SCORED_TAG) == self._mark(run) and name in run.metrics

    def _mark(self, run: Run) -> str:
        return f"{run.trial.attempt if run.trial else 1} {self.judging.data}"


def _identity(version: ModelVersion) -> str:
    return f"{version.name} {version.version} {version.source}"

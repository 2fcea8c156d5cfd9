"""Drives one sweep of an open store: take it up, search, and put on record what came of it."""

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from hpo.artifact_root import DroppedModels, check_artifacts, root_of
from hpo.budget import Stop
from hpo.build import Parts
from hpo.config.conversion import constraints_of
from hpo.driver import login_name
from hpo.executors.result_folder import ResultFolder
from hpo.fork import FORKED_FROM_TAG, Reusable, Taking, fork_message, reusable
from hpo.interruption import Interruption
from hpo.kept_models import FrontModels, KeptModels, ModelKeeping
from hpo.last_step import LastStep, settled, take
from hpo.left_behind import finished_of, records_of
from hpo.mirrors.beside import mirrored, say_pending
from hpo.mirrors.recorded import MIRRORS_TAG, mirrors_in, mirrors_tag
from hpo.ownership import Claim, claimed
from hpo.parent_run import ParentRun
from hpo.patience import patient, resumable, retry_seconds, spool_of, take_in, with_patient_registry
from hpo.progress import seconds_used
from hpo.reclaim import has_failed, is_retried, reclaimed, retry_marks, to_run_again
from hpo.recorded_config import recorded
from hpo.result_place import results_of
from hpo.scratch import new_scratch
from hpo.spool import Spool
from hpo.standing import STOPPED_TAG, Standing, changed_data, data_tags, ended_count, standing
from hpo.sweep import Sweep
from hpo.sweep_records import SweepRecords
from hpo.trial import Outcome, State, derive_seed
from hpo.trial_files import StoredFiles
from hpo.warm_start import KnownTrial, Taken, Today, take_known, told_by, told_of, warm_start_tags
from hpo.watcher import Silence, Watcher
from hpo.winner import Finals
from trackers.artifacts import ArtifactFolder, local_path
from trackers.opening import Store
from trackers.records import Change, Order, Query, Run, RunEnded, RunUpdated, Status
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

RUNNING, FAILED = f"state = '{State.RUNNING}'", f"state = '{State.FAILED}'"
"""Which trials of a history are meant."""


def _nothing(_: str) -> None:
    return None


@dataclass(frozen=True)
class Wishes:
    """How a sweep is to be driven, beside what its file says. `named` is told the sweep's name once it is known."""

    retry_failed: bool = False
    takeover: bool = False
    register: bool = True
    watcher: Watcher = field(default_factory=Silence)
    interruption: Interruption = field(default_factory=Interruption)
    named: Callable[[str], None] = _nothing


@dataclass(frozen=True)
class Driven:
    """What came of it: `stop` is None where there was nothing to do, and then `stopped_before` says why it ended."""

    run_id: str
    name: str
    stop: Stop | None
    last: LastStep
    stopped_before: Stop | None = None


@dataclass(frozen=True)
class Drive:
    """Drives sweeps of one store with the same parts. `path` is the sweep file, None where the store stands in for it.

    `folder` is where the sweep's code lies, `mirrors` the servers that are told everything, for as
    long as `beside` is open. `origin` are tags for a new sweep without a file: where its code lies.
    """

    store: Store
    parts: Parts
    wishes: Wishes
    path: Path | None
    folder: Path
    mirrors: Sequence[str] = ()
    beside: ExitStack = field(default_factory=ExitStack)
    origin: Mapping[str, str] = field(default_factory=dict)

    def start(self, name: str, fork_of: Run | None = None) -> Driven:
        """Starts a new sweep of that name, with the trials of `fork_of` that fit it.

        NameTaken where somebody else was faster with that name; then nothing was done.
        """
        run_id = uuid.uuid4().hex
        self.wishes.named(name)
        self.parts.check_slots()  # what is not there is to be known before anything is written
        check_artifacts(self.store, self.parts.config.experiment_name)
        taken = self._known()
        with self._claimed(run_id, name) as claim, self.wishes.interruption.shielded():
            more = [*(self._taken_over(run_id, fork_of) if fork_of else ()), *warm_start_tags(run_id, taken)]
            parent, tags = self._parent(told_by(taken)).start(
                self._tracker(run_id), run_id, name, fence=claim.fence, more=more
            )
            self._mirror(parent, claim)
            return self._ended(parent, self._search(parent, claim, tags), claim)

    def go_on(self, existing: Run) -> Driven:
        """Goes on with a sweep on record, as far as there is something to do.

        SweepOwned where a living driver is at work on it and `takeover` was not wished.
        """
        self.wishes.named(existing.name)
        if not self._is_unfinished(existing) and self._settled(existing, None):
            for mirror in dict.fromkeys([*mirrors_in(existing.tags), *self.mirrors]):
                say_pending(self.store, mirror, existing, os.environ)
            return self._ended(existing, None)
        with resumable(existing.name, self.store.uri, os.environ):
            self.parts.check_slots()
        with self._claimed(existing.id, existing.name) as claim, self.wishes.interruption.shielded():
            tracker = self._tracker(existing.id)
            spool = self._spool(existing.id, existing.artifact_uri)
            take_in(spool, lambda changes: tracker.record(changes, claim.fence))
            existing = tracker.get(existing.id)  # another driver may have ended it a moment ago
            finished = self._finished(existing)
            self._reclaim(existing, claim, finished)
            if not self._is_unfinished(existing):
                self._mirror(existing, claim)
                return self._ended(existing, None, claim)
            ArtifactFolder().check_writable(root_of(existing))
            if self.wishes.retry_failed:
                tracker.record(retry_marks(self._history(existing, FAILED)), claim.fence)
            parent, tags = self._parent(told_of(existing)).start(
                tracker,
                existing.id,
                existing.name,
                fence=claim.fence,
                existing=existing,
                next_number=self._next(existing),
            )
            self._mirror(parent, claim)
            return self._ended(parent, self._search(parent, claim, tags, finished), claim)

    def register(self, existing: Run) -> Driven:
        """Decides what of a sweep on record is registered, whatever was decided before; nothing is searched.

        SweepOwned where a driver is at work on it.
        """
        self.wishes.named(existing.name)
        with self._claimed(existing.id, existing.name) as claim, self.wishes.interruption.shielded():
            return Driven(existing.id, existing.name, None, self._decided(existing, claim, again=True))

    def _mirror(self, parent: Run, claim: Claim) -> None:
        """Has the sweep sent to its mirrors until `beside` is closed, when all there is to send is on record."""
        if self.mirrors or MIRRORS_TAG in parent.tags:
            named = RunUpdated(parent.id, tags=mirrors_tag(self.mirrors))
            self._tracker(parent.id).record([named], claim.fence)
        wait = mirrored(self.store, parent, self.mirrors, self.wishes.interruption, os.environ)
        self.beside.enter_context(wait)

    def _claimed(self, run_id: str, name: str) -> AbstractContextManager[Claim]:
        wishes = self.wishes
        return claimed(self.store.ownership, run_id, name, takeover=wishes.takeover, interruption=wishes.interruption)

    def _is_unfinished(self, existing: Run) -> bool:
        failed = self._history(existing, FAILED)
        if any(is_retried(run) or (self.wishes.retry_failed and has_failed(run)) for run in failed):
            return True
        config, n_trials = recorded(self.parts.config), self.parts.plan.budget.n_trials
        where = standing(existing, config=config, n_trials=n_trials, ended=lambda: ended_count(self._history(existing)))
        return where is Standing.UNFINISHED

    def _history(self, parent: Run, where: str = "") -> Sequence[Run]:
        """All trials, or those meant, deleted ones too: they were asked for, and the samplers knew them.

        Reading all of them takes a minute and gigabytes where there are a million: ask for those that are needed.
        """
        return self.store.tracker.find(Query(parent=parent.id, deleted=None, where=where))

    def _next(self, parent: Run) -> int:
        """The number after the last trial's."""
        last = Query(parent=parent.id, deleted=None, order=[Order("number", descending=True)], limit=1)
        return 1 + max((run.trial.number for run in self.store.tracker.find(last) if run.trial), default=-1)

    def _history_with_reports(self, parent: Run) -> Sequence[Run]:
        """The history with what trials have reported, where pruner or sampler learn from it."""
        if self.parts.config.pruner is None:
            history = self._history(parent)
            if not any(run.trial and run.trial.state == State.PRUNED for run in history):
                return history
        return self.store.tracker.find(Query(parent=parent.id, deleted=None, points_of=self.parts.plan.metric))

    def _finished(self, existing: Run) -> Sequence[Outcome]:
        """How RUNNING trials ended whose worker wrote that down before their driver died: they are not run again."""
        found = finished_of(self._records(existing), self._results(existing), self._history(existing, RUNNING))
        if found:
            log.info("took over %d result%s that workers had written down", len(found), "s" if len(found) > 1 else "")
        return found

    def _reclaim(self, existing: Run, claim: Claim, finished: Sequence[Outcome]) -> None:
        """Leaves no trial RUNNING that its driver does not run any more, but those that have finished."""
        ended = {outcome.number for outcome in finished}
        history = [run for run in self._history(existing, RUNNING) if run.trial and run.trial.number not in ended]
        changes = reclaimed(history, _now(), is_lost=claim.died)
        if not changes:
            return
        self._tracker(existing.id).record(changes, claim.fence)
        whose = f"dead driver {claim.before}" if claim.died else f"{claim.before}, which was driving"
        log.info("reclaimed %d trial%s of %s", len(changes), "s" if len(changes) > 1 else "", whose)

    def _parent(self, told: Sequence[KnownTrial]) -> ParentRun:
        return ParentRun(self.parts, self.path, self.folder, login_name(), _now(), told, self.origin)

    def _known(self) -> Sequence[Taken]:
        """What is taken of earlier sweeps, where the file asks for that; ConfigError where it cannot be."""
        parts, wanted, plan = self.parts, self.parts.config.warm_start, self.parts.plan
        if wanted is None:
            return ()
        today = Today(recorded(parts.config), parts.space, plan.goals, data_tags(parts.datasets))
        return take_known(self.store.tracker, wanted.sources, wanted.top, today)

    def _taken_over(self, run_id: str, old: Run) -> Sequence[Change]:
        """What records the trials of another sweep that this one need not run again."""
        tracker, config, plan = self.store.tracker, self.parts.config, self.parts.plan
        found = Reusable(why_not="the data is not the same any more")
        if not changed_data(tracker.get(old.id), self.parts.datasets):
            sampler, space = self.parts.sampler(), self.parts.space
            kept = [run for run in self._history(old) if run.deleted is None]
            found = reusable(old, kept, recorded(config), space, sampler, plan.budget.n_trials)
        log.info("%s", fork_message(old.name, found))
        taking = Taking(run_id, config.experiment_name, login_name(), _now(), tracker.history, constraints_of(config))
        forked = RunUpdated(run_id, tags={FORKED_FROM_TAG: old.id})
        return [forked, *taking.changes(found, lambda number: derive_seed(plan.seed, number))]

    def _search(self, parent: Run, claim: Claim, tags: Mapping[str, str], finished: Sequence[Outcome] = ()) -> Stop:
        scratch = new_scratch()
        results, records = self._results(parent), self._records(parent)
        try:
            with resumable(parent.name, self.store.uri, os.environ):
                executor = self._on_cluster(parent).executor(StoredFiles(ArtifactFolder()), scratch, results)
        except BaseException:  # the objective cannot be loaded by a worker, say: no trial was started
            stopped = RunEnded(parent.id, Status.KILLED, _now(), tags={STOPPED_TAG: Stop.INTERRUPTED.value})
            self._tracker(parent.id).record([stopped], claim.fence)
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        try:
            sweep = Sweep(
                self.parts.plan,
                sampler=self.parts.sampler(told_of(parent)),
                executor=executor,
                tracker=self._tracker(parent.id),
                records=replace(records, tags={**records.tags, **tags}),
                models=self._models(parent),
                interruption=self.wishes.interruption,
                fence=claim.fence,
                results=results,
                pruner=self.parts.pruner(),
                duplicates=self.parts.config.duplicates,
            )
            sweep.take_up(to_run_again(self._history_with_reports(parent)), seconds_used(parent.tags), finished)
            with resumable(parent.name, self.store.uri, os.environ):
                return sweep.run(self.wishes.watcher)
        finally:
            executor.close()
            if results:
                results.close()
            shutil.rmtree(scratch, ignore_errors=True)

    def _on_cluster(self, parent: Run) -> Parts:
        folder = local_path(parent.artifact_uri)
        return self.parts.on_cluster(folder.parent if folder else None, lambda: self.wishes.interruption.asked)

    def _models(self, parent: Run) -> ModelKeeping:
        parts, delete = self.parts, DroppedModels(root_of(parent))
        if parts.plan.others and parts.config.tracker.log_models == "best":
            return FrontModels(tuple(parts.plan.goals.values()), delete, self._is_registered)
        return KeptModels(parts.keep, parts.plan.goal, delete, self._is_registered)

    def _tracker(self, run_id: str) -> Tracker:
        """The store's tracker, with patience for a store in trouble."""
        return patient(self.store, self._spool(run_id), self._retry_for, lambda: self.wishes.interruption.over)

    @property
    def _retry_for(self) -> float:
        return retry_seconds(self.parts.config.tracker.retry_for, os.environ)

    @cached_property
    def _with_registry(self) -> Store:
        return with_patient_registry(self.store, self._retry_for, lambda: self.wishes.interruption.over)

    def _spool(self, run_id: str, artifact_uri: str = "") -> Spool:
        return spool_of(self.store, run_id, os.environ, artifact_uri)

    def _results(self, parent: Run) -> ResultFolder | None:
        return results_of(parent, self.store, os.environ)

    def _is_registered(self, run_id: str) -> bool:
        return any(version.run_id == run_id for version in self._with_registry.registry.versions())

    def _records(self, parent: Run) -> SweepRecords:
        return records_of(parent, self.parts.plan.metric)

    def _ended(self, parent: Run, stop: Stop | None, claim: Claim | None = None) -> Driven:
        """The end; what is to be registered is decided by whoever drives the sweep, who has a claim on it."""
        last = self._settled(parent, stop)
        if last is None:
            last = self._decided(parent, claim) if claim else LastStep(why_not="nobody drives the sweep")
        return Driven(parent.id, parent.name, stop, last, _stopped_before(parent, stop))

    def _settled(self, parent: Run, stop: Stop | None) -> LastStep | None:
        """What is known of registering without deciding anything."""
        if not self.wishes.register:
            return LastStep(why_not="not asked for")
        before = _stopped_before(parent, stop)
        return settled(parent, self.parts.config.registration, stop, before, retry_failed=self.wishes.retry_failed)

    def _decided(self, parent: Run, claim: Claim, *, again: bool = False) -> LastStep:
        finals = Finals(
            self._on_cluster(parent),
            self._with_registry,
            parent,
            self._tracker(parent.id),
            self._records(parent),
            login_name(),
            self.wishes.interruption,
            claim.fence,
            is_lost=claim.died,
            retry_failed=self.wishes.retry_failed,
            again=again,
        )
        with resumable(parent.name, self.store.uri, os.environ):
            return take(finals)


def _stopped_before(parent: Run, stop: Stop | None) -> Stop | None:
    known = parent.tags.get(STOPPED_TAG) if stop is None else None
    return Stop(known) if known in set(Stop) else None


def _now() -> int:
    return round(time.time() * 1000)

"""Picks a sweep's winner among its best trials, asks the gates of `register`, and registers it."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hpo import ranking
from hpo.build import Parts
from hpo.champion import Comparing
from hpo.config.schema import Registration
from hpo.constraints_on_record import is_measured
from hpo.decision import DECISION_TAG, GATES_TAG, Decision, verdicts_on
from hpo.duplicates import REUSE, REUSED_TAG
from hpo.errors import HpoError, NothingFound
from hpo.front_on_record import front_of
from hpo.gates import Verdict, condition_of, is_late, judge_feasible, judge_seeds, judge_test, judge_when, number_of
from hpo.interruption import Interruption
from hpo.judging import Judging
from hpo.picked import in_order, rule_of
from hpo.picking import Rule
from hpo.promotion import Promotion, promote
from hpo.replicates import ReRuns
from hpo.scratch import new_scratch, remove
from hpo.sweep_records import SweepRecords
from hpo.trial import Goal
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder
from trackers.errors import AliasMoved, NotFound, TrackerError
from trackers.failpoints import reach
from trackers.opening import Store
from trackers.records import Fence, ModelVersion, Run, RunUpdated
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

REGISTERED_TAG = "hpo.registered"


def settings_of(wanted: Registration) -> str:
    """A digest of what a `register` section asks for: another one is another decision."""
    absent = {"pick"} if wanted.pick is None else set()  # so that older decisions are what they were
    return hashlib.sha256(wanted.model_dump_json(exclude=absent).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Finals:
    """Decides what of a finished sweep is registered. `tracker` and `fence` are those of its driver.

    `records` makes the changes for the sweep's trials. `is_lost` says that an earlier driver died at this work,
    `retry_failed` that re-runs which failed are to be run again. `again` asks the gates also about a winner that was
    registered before and has lost its alias since.
    """

    parts: Parts
    store: Store
    parent: Run
    tracker: Tracker
    records: SweepRecords
    who: str
    interruption: Interruption = field(default_factory=Interruption)
    fence: Fence | None = None
    is_lost: bool = False
    retry_failed: bool = False
    again: bool = False

    def decide(self) -> tuple[ModelVersion | None, Decision]:
        """The version made of the winner, or None and the gate that refused; both stand on the sweep's record.

        Whatever an earlier call, killed or broken off, has put on record is not done again. NothingFound where there
        is nobody to be registered; HpoError and TrackerError where registering fails. Nothing is registered then, nor
        where BrokenOff ends the work.
        """
        try:
            version, decision = self._decided(_Finalists(self._candidates()))
        except (HpoError, TrackerError):
            self.tracker.record([], self.fence)  # one that was taken over is told so, not what its successor changed
            raise
        tags = {DECISION_TAG: decision.as_json()}
        if version is not None:
            tags[REGISTERED_TAG] = decision.registered
        reach("register.before_tag")
        self.tracker.record([RunUpdated(self.parent.id, tags=tags)], self.fence)
        return version, decision

    @property
    def _wanted(self) -> Registration:
        wanted = self.parts.config.registration
        if wanted is None:
            raise NothingFound("the sweep file has no register:")
        return wanted

    @cached_property
    def _comparing(self) -> Comparing | None:
        wanted = self._wanted
        if wanted.better_than is None:
            return None
        return Comparing(wanted.name, wanted.better_than, self._metric, self._goal, wanted.margin)

    @property
    def _metric(self) -> str:
        return self.parts.config.decisive

    @property
    def _goal(self) -> Goal:
        return self.parts.plan.goals[self._metric]

    @cached_property
    def _rule(self) -> Rule | None:
        """What picks one of a front; None where the sweep has one metric."""
        pick = self._wanted.pick
        return rule_of(pick, self.parts.plan.goals) if pick is not None and self.parts.plan.others else None

    def _candidates(self) -> Sequence[Run]:
        plan = self.parts.plan
        if self._rule is not None:
            ran = [run for run in front_of(self.tracker, self.parent).members if REUSED_TAG not in run.tags]
            members = in_order(self._rule, ran)
            if not members:
                raise NothingFound(f"no trial has finite values of {', '.join(plan.goals)}: nothing to register")
            return [self.tracker.get(run.id) for run in members[: self._wanted.top]]
        not_taken_over = f"tags.`{REUSED_TAG}` IS NULL" if self.parts.config.duplicates == REUSE else ""
        found = ranking.best(
            self.tracker,
            self.parent.id,
            plan.metric,
            plan.goal,
            limit=self._wanted.top,
            where=not_taken_over,
            infeasible_too=True,
        )
        if not found:
            raise NothingFound(f"no trial has a finite {plan.metric}, so there is nothing to register")
        return [self.tracker.get(run.id) for run in found]

    def _decided(self, finalists: "_Finalists") -> tuple[ModelVersion | None, Decision]:
        if is_measured(self.parent.sweep):
            finalists.ask(judge_feasible)
        self._ask_when(finalists, late=False)
        self._ask_seeds(finalists)
        self._ask_test(finalists)
        self._ask_when(finalists, late=True)
        reach("gates.judged")
        settings, candidates = settings_of(self._wanted), len(finalists.candidates)
        decision = Decision(finalists.refusal, finalists.fallen, settings=settings, candidates=candidates)
        if not finalists.left:
            return None, decision
        winner, picked_by = self._pick(finalists.left)
        decision = replace(decision, verdicts=finalists.of(winner), winner=number_of(winner), picked_by=picked_by)
        return self._challenged(winner, decision)

    def _ask_when(self, finalists: "_Finalists", *, late: bool) -> None:
        when = self._wanted.when
        if when is not None and is_late(condition_of(when)) is late:
            finalists.ask(lambda run: judge_when(when, run))

    def _ask_seeds(self, finalists: "_Finalists") -> None:
        count = self._wanted.seeds
        if count is None or not finalists.left:
            return
        scratch = new_scratch()
        try:
            runs = ReRuns(
                self.tracker,
                self._metric,
                self.parts.plan.seed,
                count,
                lambda run: replace(self.records, parent_id=run.id, metric=self._metric),
                lambda: self.parts.executor_of_replicates(StoredFiles(ArtifactFolder()), scratch),
                self.interruption,
                self.fence,
                self.is_lost,
                self.retry_failed,
                self.parts.replicate_count,
            )
            failures = runs.of(finalists.left)
        finally:
            remove([scratch])
        finalists.refresh(self.tracker)
        finalists.ask(lambda run: judge_seeds(run, self._metric, count, failures.get(run.id, "")))

    def _ask_test(self, finalists: "_Finalists") -> None:
        if self.parts.held_out is None or not finalists.left:
            return
        holder = self._comparing.find(self.store.registry) if self._comparing else None
        failures = self._judging.judge(finalists.left, holder).failures  # the holder goes along, in the same workers
        finalists.refresh(self.tracker)
        finalists.ask(lambda run: judge_test(run, self._metric, failures.get(run.id, "")))

    @cached_property
    def _judging(self) -> Judging:
        return Judging(self.parts, self.tracker, self.parent.id, self.interruption, self.fence)

    def _pick(self, left: Sequence[Run]) -> tuple[Run, str]:
        """The winner, and what picked it: the mean over seeds, else the test data, else validation. Ties: the first."""
        metric, goal = self._metric, self._goal
        if self._rule is not None:
            return self._pick_of_front(self._rule, left)
        if self._wanted.seeds is not None:
            name, picked_by = f"seeds_mean_{metric}", f"the mean {metric} of {self._wanted.seeds} seeds"
        elif self.parts.held_out is not None:
            name, picked_by = f"test_{metric}", f"{metric} on the held-out test data"
        else:
            return left[0], f"{metric} by validation"
        best = left[0]
        for run in left[1:]:
            if goal.better(run.metrics[name], than=best.metrics[name]):
                best = run
        return best, picked_by

    def _pick_of_front(self, rule: Rule, left: Sequence[Run]) -> tuple[Run, str]:
        """The same by the rule; a metric that was measured once more counts as it came out then."""
        again, where = ("", "by validation")
        if self._wanted.seeds is not None:
            again, where = "seeds_mean_", f"by the mean of {self._wanted.seeds} seeds"
        elif self.parts.held_out is not None:
            again, where = "test_", "on the held-out test data"
        rows = [
            {name: run.metrics.get(again + name, run.metrics[name]) for name in self.parts.plan.goals} for run in left
        ]
        return left[rule.order(rows)[0]], f"{rule.text} {where}"

    def _known(self, winner: Run, decision: Decision) -> tuple[ModelVersion, Decision] | None:
        """The winner as it was registered before, if that still stands: a killed driver may have had no last word."""
        name, alias = self._wanted.name, self._wanted.alias
        try:
            versions = self.store.registry.versions(name)
        except NotFound:
            return None
        for version in versions:
            had_it = alias is None or alias in version.aliases
            if version.run_id == winner.id and (had_it or (not self.again and self._once_pointed(version, alias))):
                verdicts = verdicts_on(version.tags.get(GATES_TAG, "")) or decision.verdicts
                return version, replace(decision, verdicts=verdicts, registered=f"{name} version {version.version}")
        return None

    def _once_pointed(self, version: ModelVersion, alias: str | None) -> bool:
        """Whether the alias has pointed to the version before: then somebody has moved it away, and meant it."""
        events = self.store.registry.history(version.name)
        return any(e.action == "alias" and e.what == alias and e.after == str(version.version) for e in events)

    def _challenged(self, winner: Run, decision: Decision) -> tuple[ModelVersion | None, Decision]:
        """Compares with whoever has to be beaten and registers, again where that one was replaced meanwhile."""
        while True:
            if (known := self._known(winner, decision)) is not None:
                return known
            verdict, expected = self._against_holder(winner)
            verdicts = [*decision.verdicts, *([verdict] if verdict else [])]
            if verdict and not verdict.passed:
                return None, replace(decision, verdicts=verdicts)
            reach("gates.passed")
            try:
                version = self._register(winner, verdicts, expected, decision.picked_by)
            except AliasMoved as error:
                log.info("%s: comparing again", error)
                continue
            return version, replace(decision, verdicts=verdicts, registered=f"{version.name} version {version.version}")

    def _against_holder(self, winner: Run) -> tuple[Verdict | None, Mapping[str, int | None]]:
        comparing = self._comparing
        if comparing is None:
            return None, {}
        holder = comparing.find(self.store.registry)
        expected = comparing.expected(holder)
        if holder is None:
            return comparing.without_holder(winner), expected
        if self.parts.held_out is None:
            return comparing.by_record(winner, self.parent, holder, self.tracker), expected
        scores = self._judging.judge([winner], holder)
        if scores.holder_failure:
            return comparing.not_comparable(winner, holder, scores.holder_failure), expected
        name = f"test_{comparing.metric}"
        return comparing.verdict(winner, holder, winner.metrics[name], scores.holder[name], name), expected

    def _register(
        self, winner: Run, verdicts: Sequence[Verdict], expected: Mapping[str, int | None], picked_by: str
    ) -> ModelVersion:
        wanted = self._wanted
        passed = "; ".join(f"{verdict.gate}: {verdict.text}" for verdict in verdicts)
        why = f"winner of sweep {self.parent.name}" + (f"; gates passed: {passed}" if passed else "")
        promotion = Promotion(
            winner,
            wanted.name,
            self.who,
            wanted.alias,
            why,
            tags={"hpo.picked_by": picked_by},
            stage=wanted.stage,
            expected=expected,
            verdicts=verdicts,
            fence=self.fence,
        )
        return promote(promotion, tracker=self.tracker, registry=self.store.registry, verify=ArtifactFolder().verify)


class _Finalists:
    """The candidates, best first by validation; those that fell at a gate, and what was said of the others."""

    def __init__(self, candidates: Sequence[Run]) -> None:
        self.candidates = candidates
        self.left = list(candidates)
        self.fallen: list[Verdict] = []
        self._said: dict[str, list[Verdict]] = {run.id: [] for run in candidates}

    def ask(self, gate: Callable[[Run], Verdict]) -> None:
        """Lets a gate judge everybody who is left."""
        for run in list(self.left):
            verdict = gate(run)
            self._said[run.id].append(verdict)
            if not verdict.passed:
                self.left.remove(run)
                self.fallen.append(verdict)
                log.info("trial %s is out, gate %s: %s", verdict.trial, verdict.gate, verdict.text)

    def refresh(self, tracker: Tracker) -> None:
        """Reads those that are left again: more is on their record now."""
        self.left = [tracker.get(run.id) for run in self.left]

    def of(self, run: Run) -> Sequence[Verdict]:
        """What was said of one."""
        return self._said[run.id]

    @property
    def refusal(self) -> Sequence[Verdict]:
        """What was said of the best candidate."""
        return self.of(self.candidates[0])

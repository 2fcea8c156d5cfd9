"""Picks a sweep's winner among its best trials and registers it."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo import ranking
from hpo.build import Parts
from hpo.errors import BrokenOff, HpoError, NothingFound
from hpo.executor import Executor
from hpo.interruption import Interruption
from hpo.promotion import Promotion, promote
from hpo.sweep import TICK
from hpo.trial import Metrics, Trial
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder
from trackers.failpoints import reach
from trackers.opening import Store
from trackers.records import ModelVersion, Point, Run, RunUpdated

REGISTERED_TAG = "hpo.registered"


def register_winner(
    parts: Parts, store: Store, parent_id: str, *, who: str, interruption: Interruption | None = None
) -> ModelVersion:
    """The version made of the sweep's winner, as `register:` of the sweep file asks for.

    The best `top` trials by validation compete; where there is held-out test data each is scored on it once, and the
    best there wins. HpoError or TrackerError where nothing can be registered; then nothing was. Nor was anything where
    `interruption` ends the scoring by KeyboardInterrupt.
    """
    wanted, plan = parts.config.registration, parts.plan
    if wanted is None:
        raise NothingFound("the sweep file has no register:")
    candidates = ranking.best(store.tracker, parent_id, plan.metric, plan.goal, limit=wanted.top)
    if not candidates:
        raise NothingFound(f"no trial has a finite {plan.metric}, so there is nothing to register")
    parent = store.tracker.get(parent_id)
    winner = store.tracker.get(_winner(parts, store, candidates, interruption or Interruption()).id)
    version = promote(
        Promotion(winner, wanted.name, who, wanted.alias, f"winner of sweep {parent.name}"),
        tracker=store.tracker,
        registry=store.registry,
        verify=ArtifactFolder().verify,
    )
    reach("register.before_tag")
    store.tracker.record([RunUpdated(parent_id, tags={REGISTERED_TAG: f"{version.name} version {version.version}"})])
    return version


def _winner(parts: Parts, store: Store, candidates: Sequence[Run], interruption: Interruption) -> Run:
    """The first candidate, or the best on the test part where there is one; the scores go onto their runs."""
    scratch = Path(tempfile.mkdtemp(prefix="hpo-test-"))
    executor = parts.test_executor(StoredFiles(ArtifactFolder()), scratch)
    if executor is None:
        return candidates[0]
    try:
        scores = test_scores(executor, candidates, interruption)
    finally:
        executor.close()
        shutil.rmtree(scratch, ignore_errors=True)
    store.tracker.record([RunUpdated(run_id, points=_points(metrics)) for run_id, metrics in scores.items()])
    name, goal = f"test_{parts.plan.metric}", parts.plan.goal
    best = candidates[0]
    for run in candidates[1:]:
        if goal.better(scores[run.id][name], than=scores[best.id][name]):
            best = run
    return best


def test_scores(executor: Executor, candidates: Sequence[Run], interruption: Interruption) -> Mapping[str, Metrics]:
    """The test metrics of each candidate by run id; HpoError, with the cause, where one cannot be scored."""
    waiting = [Trial(number, run.params, _seed(run), run.id) for number, run in enumerate(candidates)]
    scores: dict[str, Metrics] = {}
    running = 0
    while waiting or running:
        while waiting and running < executor.slots:
            executor.submit(waiting.pop(0))
            running += 1
        if interruption.over:
            raise BrokenOff
        with interruption.waiting():
            outcomes = executor.wait(TICK)
        for outcome in outcomes:
            running -= 1
            run = candidates[outcome.number]
            if outcome.reason:
                raise HpoError(f"{run.name} cannot be scored on the test data: {outcome.reason} {outcome.error}")
            scores[run.id] = outcome.metrics
    return scores


def _seed(run: Run) -> int:
    return run.trial.seed if run.trial else 0


def _points(metrics: Metrics) -> list[Point]:
    return [Point(name, value, 0, round(time.time() * 1000)) for name, value in metrics.items()]

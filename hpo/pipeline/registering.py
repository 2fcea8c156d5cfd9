"""The last step: the best trials of one sweep are scored on the test month, and the best of them is registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hpo import ranking
from hpo.driver import login_name
from hpo.errors import ConfigError, NothingFound
from hpo.naming import find_sweep
from hpo.pipeline.prepared import PARTS, Prepared, open_prepared
from hpo.pipeline.recording import store_uri
from hpo.pipeline.scoring import Candidate, Scoring
from hpo.promotion import Promotion, model_of, promote
from hpo.trial import Goal
from hpo.winner import REGISTERED_TAG
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import ModelVersion, Run, RunUpdated
from trackers.tracker import Tracker

Judge = Literal["test", "validation"]


@dataclass(frozen=True)
class Registered:
    """What was registered, and out of which candidates, best first by validation."""

    version: ModelVersion
    sweep: str
    metric: str
    winner: Candidate
    candidates: Sequence[Candidate]


def register(
    sweep: str,
    *,
    name: str = "green-taxi-duration",
    data: str | Path | None = None,
    top: int = 5,
    by: Judge = "test",
    alias: str | None = "champion",
    tracker: str | None = None,
) -> Registered:
    """Registers the winner among the `top` best trials of this sweep alone, given by its name or run id.

    The candidates are the best by validation. Each is fitted again from its params and seed, which has to give the
    metric on record, and scored once on the test month; the score goes onto its run. `by` is what picks the winner.
    What is registered is the model that the trial saved, its files verified; no model file is loaded.
    Raises NothingFound (no such sweep, no finished trial, no model), ObjectiveError (no data), HpoError (other data
    than the sweep's, or a refit that differs); then nothing is registered.
    """
    uri = store_uri(tracker)
    with open_store(uri, read_only=True) as store:  # a store that is not there is not made by asking for it
        parent = find_sweep(store.tracker, sweep)
    with open_store(uri) as store:
        metric, goal = _metric_of(parent)
        runs = _best_runs(store.tracker, parent, metric, goal, top)
        prepared = open_prepared(data or str(runs[0].params.get("data", "data/taxi")))
        scoring = Scoring(store.tracker, prepared, metric)
        for run in runs:
            scoring.check(run)
        candidates = [scoring.score(run) for run in runs]
        winner = _winner(candidates, goal, by)
        promotion = Promotion(
            winner.run,
            name,
            login_name(),
            alias,
            why=f"best of {len(candidates)} by {metric} on {by}, sweep {parent.name}",
            tags={**prepared.digests("train", "validation", "test"), "hpo.picked_by": f"{metric} on {by}"},
            note=_note(prepared, winner, len(candidates), metric, by),
        )
        version = promote(promotion, tracker=store.tracker, registry=store.registry, verify=ArtifactFolder().verify)
        tags = {**prepared.digests("test"), REGISTERED_TAG: f"{version.name} version {version.version}"}
        store.tracker.record([RunUpdated(parent.id, tags=tags)])
        return Registered(version, parent.name, metric, winner, candidates)


def _metric_of(parent: Run) -> tuple[str, Goal]:
    facts = parent.sweep
    if facts is None:
        raise NothingFound(f"run {parent.name!r} is no sweep of ours; make one with: python scripts/search.py")
    if facts.metric not in ("rmse", "mae"):
        raise ConfigError(
            f"sweep {parent.name} is ranked by {facts.metric}, which is nothing the taxi model is judged by (rmse, "
            f"mae); register it with: hpo register {parent.name}"
        )
    return facts.metric, Goal(facts.goal)


def _best_runs(tracker: Tracker, parent: Run, metric: str, goal: Goal, top: int) -> Sequence[Run]:
    """The best trials of this sweep alone, with their models."""
    found = ranking.best(tracker, parent.id, metric, goal, limit=top)
    if not found:
        raise NothingFound(
            f"sweep {parent.name} has no finished trial with a finite {metric}, so there is nothing to register; "
            f"see: hpo trials {parent.name}"
        )
    runs = [tracker.get(run.id) for run in found]
    model_of(runs[0])
    kept = sum(bool(run.models) for run in runs)
    if kept < len(runs):
        raise ConfigError(
            f"{kept} of the {len(runs)} best trials of sweep {parent.name} keep a model: take --top {kept}, or search "
            "again with a larger register.top in the sweep file"
        )
    return runs


def _winner(candidates: Sequence[Candidate], goal: Goal, by: Judge) -> Candidate:
    """The first by validation, or the best on test; of equals the first."""
    best = candidates[0]
    for candidate in candidates[1:]:
        if by == "test" and goal.better(candidate.test, than=best.test):
            best = candidate
    return best


def _note(data: Prepared, winner: Candidate, candidates: int, metric: str, by: Judge) -> str:
    """What a reader of the version should know of how it came about."""
    trips = {part: f"{', '.join(_months(data, part))} ({data.described(part)['kept']} trips)" for part in PARTS}
    picked = (
        f"Picked among the {candidates} best trials of its sweep by {metric} on the test data, so that score is a "
        "little flattering."
        if by == "test"
        else f"Picked by {metric} on validation; the test data had no part in it."
    )
    same = "to the last digit" if winner.exact else "but for rounding"
    return (
        f"Fitted on {trips['train']}, validated on {trips['validation']}, tested on {trips['test']}.\n{picked}\n"
        f"Fitting it again from its params and seed gave the {metric} on record {same}."
    )


def _months(data: Prepared, part: str) -> Sequence[str]:
    months = data.described(part).get("months")
    return [str(month) for month in months] if isinstance(months, list) else []

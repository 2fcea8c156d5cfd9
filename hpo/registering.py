"""Which run `hpo register` means."""

from hpo import ranking
from hpo.errors import ConfigError, NothingFound
from hpo.naming import find_sweep, find_trial
from hpo.trial import Goal
from trackers.records import Run
from trackers.tracker import Tracker


def chosen(tracker: Tracker, what: str, *, metric: str | None, goal: str | None) -> tuple[Run, str]:
    """The run to register, with its models, and the name of its sweep.

    `what` is one trial (`SWEEP#17`), or a sweep, whose best trial is taken. A sweep that is not ours needs a metric.
    """
    if "#" in what:
        run = find_trial(tracker, what)
        parent = tracker.get(run.parent_id) if run.parent_id else run
        return tracker.get(run.id), parent.name
    sweep = find_sweep(tracker, what)
    facts = sweep.sweep
    if facts is None and metric is None:
        raise ConfigError(f"run {sweep.name!r} is no sweep of ours, so nobody knows its metric; add --metric NAME")
    wanted = metric or (facts.metric if facts else "")
    way = Goal(goal or (facts.goal if facts else Goal.MINIMIZE))
    best = ranking.best(tracker, sweep.id, wanted, way, limit=1)
    if not best:
        raise NothingFound(f"sweep {sweep.name} has no finished trial with a finite {wanted}, so nothing to register")
    return tracker.get(best[0].id), sweep.name

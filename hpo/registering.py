"""Which run `hpo register` means."""

from hpo import ranking
from hpo.errors import ConfigError, NothingFound
from hpo.front_on_record import goals_of, several_of
from hpo.naming import find_sweep, find_trial
from hpo.picked import picked
from hpo.trial import Goal
from trackers.records import Run
from trackers.tracker import Tracker


def chosen(tracker: Tracker, what: str, *, metric: str | None, goal: str | None) -> tuple[Run, str]:
    """The run to register, with its models, and the name of its sweep.

    `what` is one trial (`SWEEP#17`), or a sweep, whose best trial is taken: by several metrics the one that the rule
    of its file picks, else it needs a metric too, like a sweep that is not ours.
    """
    if "#" in what:
        run = find_trial(tracker, what)
        parent = tracker.get(run.parent_id) if run.parent_id else run
        return tracker.get(run.id), parent.name
    sweep = find_sweep(tracker, what)
    facts = sweep.sweep
    if facts is None and metric is None:
        raise ConfigError(f"run {sweep.name!r} is no sweep of ours, so nobody knows its metric; add --metric NAME")
    if metric is None and several_of(sweep):
        return tracker.get(picked(tracker, sweep).id), sweep.name
    wanted = metric or (facts.metric if facts else "")
    goals = goals_of(facts) if facts else {}
    way = Goal(goal) if goal else goals.get(wanted, Goal(facts.goal if facts else Goal.MINIMIZE))
    best = ranking.best(tracker, sweep.id, wanted, way, limit=1)
    if not best:
        raise NothingFound(f"sweep {sweep.name} has no finished trial with a finite {wanted}, so nothing to register")
    return tracker.get(best[0].id), sweep.name

"""What `hpo best` is asked to rank by, and why it may have nothing to answer."""

import logging
from collections.abc import Sequence

from hpo.cli.sort_key import metric_names
from hpo.cli.sweep_rows import counts_text, sweep_state
from hpo.config.nearest import did_you_mean
from hpo.constraints_on_record import is_measured, violation_of
from hpo.errors import ConfigError, NothingFound
from hpo.front_on_record import goals_of
from hpo.trial import Goal
from trackers.records import Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)


def asked_metric(tracker: Tracker, parent: Run) -> str:
    """The sweep's metric; of a parent run that MLflow wrote the only metric there is, else ConfigError names them."""
    if parent.sweep:
        return parent.sweep.metric
    names = metric_names(tracker, parent)
    if not names:
        raise _nothing_reported(tracker, parent)
    if len(names) > 1:
        raise ConfigError(f"{parent.name!r} says not which metric counts; add --metric, one of: {', '.join(names)}")
    return names[0]


def asked_goal(parent: Run, given: str | None, metric: str | None = None) -> Goal:
    """The goal as given, else that of this metric in the sweep, else the sweep's, else minimize."""
    if given is None and parent.sweep:
        return goals_of(parent.sweep).get(metric or "", Goal(parent.sweep.goal))
    if given is None and parent.sweep is None:
        log.warning(
            "%r says not which way is better; taken to be minimize (--goal maximize turns it round)", parent.name
        )
    return Goal(given or "minimize")


def infeasible_text(parent: Run, runs: Sequence[Run]) -> str:
    """How many of the ranked trials violate the sweep's constraints on metrics, in words."""
    count = sum(violation_of(run) > 0 for run in runs) if is_measured(parent.sweep) else 0
    if count and count == len(runs):
        return "; none satisfies the constraints, so the least violation comes first"
    return f"; the last {count} violate the constraints" if count else ""


def why_none(tracker: Tracker, parent: Run, metric: str, where: str) -> NothingFound:
    """The error that says why no trial could be ranked."""
    names = metric_names(tracker, parent)
    if not names:
        return _nothing_reported(tracker, parent)
    if metric not in names:
        hint = did_you_mean(metric, names)
        return NothingFound(f"no trial of {parent.name!r} reported {metric!r} (reported: {', '.join(names)}){hint}")
    asked = f" with {where}" if where else ""
    satisfies = " and satisfies the constraints" if is_measured(parent.sweep) else ""
    return NothingFound(
        f"no COMPLETE trial of {parent.name!r}{asked} has a finite {metric}{satisfies}; "
        f"its trials: {_counted(tracker, parent)}; see: hpo trials {parent.name}"
    )


def _nothing_reported(tracker: Tracker, parent: Run) -> NothingFound:
    counted = _counted(tracker, parent)
    if counted == "0":
        return NothingFound(f"sweep {parent.name!r} ({sweep_state(parent)}) has no trials yet, so none is best")
    return NothingFound(f"no trial of {parent.name!r} has a result: {counted}; see: hpo trials {parent.name}")


def _counted(tracker: Tracker, parent: Run) -> str:
    return counts_text(tracker.counts([parent.id]).get(parent.id, {}))

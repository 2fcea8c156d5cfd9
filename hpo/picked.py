"""The trials of a front in the order of the rule that the sweep's file gives, `register.pick`."""

import contextlib
from collections.abc import Sequence

from hpo.config.metrics_fields import Pick
from hpo.errors import HpoError, NothingFound
from hpo.front import Goals
from hpo.front_on_record import front_of, several_of
from hpo.picking import ByMetric, Knee, Lexicographic, Rule
from hpo.recorded_config import read_back
from trackers.records import Run
from trackers.tracker import Tracker


def rule_of(pick: Pick, goals: Goals) -> Rule:
    """The rule that a sweep file gives."""
    if pick.metric is not None:
        return ByMetric(pick.metric, goals)
    if pick.lexicographic is not None:
        return Lexicographic({level.metric: level.tolerance for level in pick.lexicographic}, goals)
    return Knee(goals)


def in_order(rule: Rule, runs: Sequence[Run]) -> list[Run]:
    """The members of a front, the one that is picked first, by their values on validation."""
    return [runs[position] for position in rule.order([run.metrics for run in runs])]


def picked(tracker: Tracker, parent: Run) -> Run:
    """The one trial of a front that the file's rule picks.

    NothingFound where the file gives no rule, or no trial has finite values of all metrics.
    """
    goals = several_of(parent)
    names = ", ".join(goals)
    registration = None
    with contextlib.suppress(HpoError):  # written by another version of this program, say
        registration = read_back(parent).registration
    if registration is None or registration.pick is None:
        raise NothingFound(
            f"sweep {parent.name} is searched by several metrics ({names}), so no single trial is its best; see the "
            f"front: hpo best {parent.name}, name a trial: {parent.name}#NUMBER, or say in the file which one is "
            "meant: register: {name: .., pick: ..}"
        )
    members = front_of(tracker, parent).members
    if not members:
        raise NothingFound(
            f"no trial of sweep {parent.name} has finite values of {names}; see: hpo trials {parent.name}"
        )
    return in_order(rule_of(registration.pick, goals), members)[0]

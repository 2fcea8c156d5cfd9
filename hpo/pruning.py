"""The pruner at work in a sweep: it follows what open trials report, and answers whether they go on."""

import logging
from collections.abc import Sequence

from hpo.pruner import Pruner
from hpo.trial import Curve, Outcome, Question, Report, Result, State, Trial, curve
from trackers.failpoints import reach
from trackers.records import Point

log = logging.getLogger(__name__)


class Pruning:
    """Judges the open trials of one sweep by its metric; without a pruner all of them go on."""

    def __init__(self, pruner: Pruner | None, metric: str) -> None:
        self._pruner = pruner
        self._metric = metric
        self._curves: dict[tuple[int, int], dict[int, float]] = {}
        self._is_sure_of_reports = pruner is None

    @property
    def judges(self) -> bool:
        """Whether there is a pruner."""
        return self._pruner is not None

    def answer(self, trial: Trial, question: Question) -> bool:
        """Whether the trial that asks is to stop."""
        if self._pruner is None:
            return False
        reported = self._extended((trial.number, trial.attempt), question.reports)
        reach("report.before_reply")
        return self._pruner.should_prune(trial, reported)

    def curve_of(self, outcome: Outcome) -> Curve:
        """What an ended trial has reported, as far as anybody wants to know."""
        self._curves.pop((outcome.number, outcome.attempt), None)
        if self._pruner is None and outcome.state is not State.PRUNED:
            return {}
        return curve((report.step, report.value) for report in outcome.reports if report.metric == self._metric)

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial when its turn comes."""
        if self._pruner is not None:
            self._pruner.tell(trial, result)
            self._look_for_reports(trial, result)

    def _extended(self, attempt: tuple[int, int], reports: Sequence[Report]) -> Curve:
        known = self._curves.setdefault(attempt, {})
        new = curve((report.step, report.value) for report in reports if report.step not in known)
        in_order = not known or not new or min(new) > next(reversed(known))
        known.update(new)
        if not in_order:
            known = self._curves[attempt] = dict(sorted(known.items()))
        return known

    def _look_for_reports(self, trial: Trial, result: Result) -> None:
        """Says once that a trial went by without a report: there is nothing to judge then."""
        if not self._is_sure_of_reports and result.state is State.COMPLETE:
            self._is_sure_of_reports = True
            if not result.curve:
                text = "trial %d reported nothing, so the pruner cannot judge it: call trial.report(step, value)"
                log.warning(text, trial.number)


def recorded_curve(points: Sequence[Point], state: State) -> Curve:
    """The curve of a trial on record, given all points of the sweep's metric, by step and time.

    The last point of a complete trial is its final value, which follows all reports.
    """
    reports = points[:-1] if state is State.COMPLETE else points
    return curve((point.step, point.value) for point in reports)

"""The metrics a program has told so far: reports with a step go on at once, the others wait for its end."""

from collections.abc import Mapping

from hpo.errors import TrialFailed
from hpo.objective import TrialContext
from hpo.plain import plain_name, plain_number, plain_step

MOST_POINTS = 100_000
"""Values with steps that one trial may report: each is a row of the store."""

MOST_NAMES = 1_000


class ToldMetrics:
    """Collects metrics of one trial; `metric` is the sweep's, by which pruners judge."""

    def __init__(self, trial: TrialContext, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self._points = 0
        self._latest: dict[str, float] = {}
        self._final: dict[str, float] = {}

    def tell(self, values: Mapping[str, object]) -> None:
        """Takes final values; a later one of a name takes the place of an earlier."""
        self._final.update(self._checked(values))
        self._check_count(self._final)

    def report(self, step: object, values: Mapping[str, object]) -> None:
        """Takes values at a step; raises TrialPruned where the trial is to stop."""
        number = self._step(step)
        checked = self._checked(values)
        self._points += len(checked)
        if self._points > MOST_POINTS:
            raise TrialFailed("invalid_result", f"reported more than {MOST_POINTS:,} values")
        self._latest.update(checked)
        self._check_count(self._latest)
        for name, value in checked.items():
            if name != self._metric:
                self._trial.log_metric(name, value, number)
        if self._metric in checked:
            self._trial.report(number, checked[self._metric])

    @property
    def metrics(self) -> dict[str, float]:
        """The final values, and the last reported one where there is no final one."""
        return {**self._latest, **self._final}

    def _checked(self, values: Mapping[str, object]) -> dict[str, float]:
        """The numbers; text and the like stand beside them in many logs, but the sweep's metric must be one."""
        try:
            return {
                plain_name(name, "metric"): plain_number(value)
                for name, value in values.items()
                if name == self._metric or (isinstance(value, int | float) and not isinstance(value, bool))
            }
        except (TypeError, ValueError, OverflowError) as error:
            raise TrialFailed("invalid_result", f"a metric {error}") from error

    def _step(self, step: object) -> int:
        try:
            return plain_step(int(step) if isinstance(step, float) and step.is_integer() else step)
        except TypeError as error:
            raise TrialFailed("invalid_result", f"a report's {error}") from error

    def _check_count(self, metrics: Mapping[str, float]) -> None:
        if len(metrics) > MOST_NAMES:
            raise TrialFailed("invalid_result", f"told more than {MOST_NAMES:,} metrics")

"""One attempt of a trial: runs the objective and turns whatever happens into an Outcome."""

import math
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.errors import BrokenOff, TrialFailed, TrialPruned
from hpo.failure_text import failure_line, failure_traceback, message_line
from hpo.front import Goals, dominates
from hpo.gathered import Gathered, SaveFailed
from hpo.live_trial import Ask, LiveTrial
from hpo.objective import Objective, TrialFiles
from hpo.plain import describe, plain_name, plain_number, plain_text
from hpo.secret_keeping import without_secrets
from hpo.trial import Goal, Metrics, Outcome, State, Trial, is_kept


def run_attempt(
    objective: Objective,
    trial: Trial,
    *,
    metric: str,
    goal: Goal,
    files: TrialFiles | None,
    ask: Ask | None = None,
    others: Goals | None = None,
    gathered: Gathered | None = None,
) -> Outcome:
    """How the attempt ended, as plain data that can be pickled; whatever the objective raises becomes a FAILED outcome.

    The one exception is a KeyboardInterrupt (or a subclass of it) in a main thread that listens to Ctrl-C: that is the
    person at the keyboard, not the trial, so it passes through to the driver.
    `metrics` holds every number of the result, `reports` what was recorded with steps. The sweep's metric must be
    finite, and so must `others`, the further ones of a sweep by several; all else may be NaN or infinite. What was
    gathered before a failure is kept.
    With `ask`, reports of the metric ask whether to go on. A trial that was told to stop is PRUNED however it ended,
    and so is one that raised TrialPruned (ours or optuna's) by itself; it keeps its reports, but no final value.
    Who hands in `gathered` finds there what the attempt made.
    """
    gathered = gathered or Gathered(trial, files)
    live = LiveTrial(trial, gathered, metric=metric, ask=ask)
    started, clock = int(time.time() * 1000), time.perf_counter()
    verdict = _evaluate(objective, trial, live, gathered, {metric: goal, **(others or {})})
    outcome = Outcome(
        number=trial.number,
        attempt=trial.attempt,
        state=verdict.state,
        metrics=verdict.metrics,
        reports=tuple(gathered.reports),
        tags=dict(gathered.tags),
        files=tuple(gathered.files.values()),
        models=tuple(gathered.models.values()),
        inputs=tuple(gathered.inputs.values()),
        reason=verdict.reason,
        error=verdict.error,
        traceback=verdict.traceback,
        started=started,
        seconds=time.perf_counter() - clock,
    )
    return without_secrets(outcome, objective)


def failed(trial: Trial, reason: str, error: str, *, started: int = 0, seconds: float = 0.0) -> Outcome:
    """The Outcome of an attempt that could not speak for itself, such as one whose worker died."""
    return Outcome(
        trial.number,
        trial.attempt,
        State.FAILED,
        reason=reason,
        error=plain_text(error),
        started=started,
        seconds=seconds,
    )


@dataclass(frozen=True)
class _Verdict:
    metrics: Metrics
    reason: str = ""
    error: str = ""
    traceback: str = ""
    is_pruned: bool = False

    @property
    def state(self) -> State:
        if self.is_pruned:
            return State.PRUNED
        return State.FAILED if self.reason else State.COMPLETE


_PRUNED = _Verdict({}, is_pruned=True)


def _evaluate(objective: Objective, trial: Trial, live: LiveTrial, gathered: Gathered, goals: Goals) -> _Verdict:
    metrics: Metrics = {}
    try:
        with live:
            result = objective(dict(trial.params), live)
        if live.is_stopped:
            return _PRUNED
        verdict = _judge(result, list(goals))
        metrics = verdict.metrics
        if not verdict.reason and gathered.offered and keeps_models(metrics, trial, goals):
            gathered.save_models()
        return verdict
    except BaseException as error:
        if isinstance(error, BrokenOff) or (isinstance(error, KeyboardInterrupt) and _listens_to_the_keyboard()):
            raise
        if live.is_stopped or _is_pruning(error):
            return _PRUNED
        if isinstance(error, TrialFailed):
            return _Verdict(metrics, error.reason, message_line(error))
        return _Verdict(metrics, _reason(error), failure_line(error), failure_traceback(error))


def keeps_models(metrics: Metrics, trial: Trial, goals: Goals) -> bool:
    """Whether a trial with these metrics is to keep its models."""
    values = tuple(metrics[name] for name in goals)
    ways = tuple(goals.values())
    return is_kept(values[0], trial.bar, ways[0]) and not any(dominates(best, values, ways) for best in trial.front)


def _judge(result: object, wanted: Sequence[str]) -> _Verdict:
    try:
        metrics = _metrics(result, wanted)
    except (TypeError, ValueError, OverflowError) as error:
        return _Verdict({}, "invalid_result", plain_text(str(error)))
    for name in wanted:
        if name not in metrics:
            reported = ", ".join(map(repr, metrics)) or "no metric at all"
            return _Verdict(metrics, "no_result", f"the result must hold the sweep's metric {name!r}, got {reported}")
    for name in wanted:
        if not math.isfinite(metrics[name]):
            return _Verdict(metrics, "nonfinite", f"the result must be finite, got {name} = {metrics[name]}")
    return _Verdict(metrics)


def _metrics(result: object, wanted: Sequence[str]) -> dict[str, float]:
    if isinstance(result, Mapping):
        return {plain_name(name, "metric"): _number(value, f"{name} of the result") for name, value in result.items()}
    if result is None:
        raise TypeError("the result must be a number or a mapping of metrics, got None; does the objective return?")
    if isinstance(result, list | tuple):
        raise TypeError(f"the result must be a number or a mapping of metrics, got {describe(result)}")
    if len(wanted) > 1:
        raise TypeError(f"the result must be a mapping of the metrics {', '.join(wanted)}, got {describe(result)}")
    return {wanted[0]: _number(result, "the result")}


def _number(value: object, what: str) -> float:
    try:
        return plain_number(value)
    except (TypeError, OverflowError) as error:
        raise TypeError(f"{what} {error}") from None


def _is_pruning(error: BaseException) -> bool:
    # optuna's is known by its name alone, so that objectives which raise it need not be changed
    return any(kind.__name__ == TrialPruned.__name__ for kind in type(error).__mro__)


def _reason(error: BaseException) -> str:
    if isinstance(error, SaveFailed):
        return "artifact"
    return "oom" if isinstance(error, MemoryError) else "exception"


def _listens_to_the_keyboard() -> bool:
    # worker processes ignore SIGINT and only main threads receive it: anywhere else the objective raised it itself
    return threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN

"""What becomes of the trials that a dead driver left open, and of failed ones that are to run again."""

import json
from collections.abc import Sequence
from dataclasses import replace

from hpo.budget import LOST
from hpo.losses import KILLED_TAG, LOST_TAG, Losses
from hpo.trial import State
from trackers.records import STATUS_OF_STATE, Run, RunEnded, RunUpdated, TrialFacts

RETRY_TAG = "hpo.retry"
"""On a failed trial's run: the attempt whose failure is to be replaced. A later failure is not meant."""

ATTEMPT_TAG = "hpo.attempt."
"""With the number of an attempt that failed and was run again: how it ended, as JSON."""
_ERROR_LIMIT = 1000


def reclaimed(history: Sequence[Run], now: int, *, is_lost: bool) -> list[RunEnded]:
    """Ends the open attempts of a driver that is gone: WAITING, or FAILED where too many attempts were lost.

    `is_lost` false: the driver did not die, it lost the sweep to a takeover, which says nothing about its trials.
    """
    running = [run for run in history if run.trial is not None and run.trial.state == State.RUNNING]
    return [_attempt_over(run, now, Losses.of(run.tags).after(LOST if is_lost else "")) for run in running]


def _attempt_over(run: Run, now: int, losses: Losses) -> RunEnded:
    """The end of an attempt that nobody runs any more; `losses` counts it too, if it was lost."""
    if run.trial is None:
        raise ValueError(f"run {run.id} is no trial")
    trial = replace(run.trial, state=State.WAITING, reason="", error="", traceback="")
    if not losses.run_again:
        trial = replace(trial, state=State.FAILED, reason=LOST, error=losses.error)
    return RunEnded(run.id, STATUS_OF_STATE[trial.state], now, tags=losses.tags, trial=trial)


def retry_marks(history: Sequence[Run]) -> list[RunUpdated]:
    """Marks all failed trials to be run again; durable, so that the wish survives whatever ends this driver.

    How they failed stays in a tag: the next attempt takes the place of all else that they recorded.
    """
    marks = []
    for run in history:
        if run.trial is not None and has_failed(run):
            tags = {RETRY_TAG: str(run.trial.attempt), LOST_TAG: "0", KILLED_TAG: "0"}
            tags[f"{ATTEMPT_TAG}{run.trial.attempt}"] = _failure(run.trial)
            marks.append(RunUpdated(run.id, tags=tags))
    return marks


def _failure(trial: TrialFacts) -> str:
    error = trial.error if len(trial.error) <= _ERROR_LIMIT else f"{trial.error[: _ERROR_LIMIT - 3]}..."
    return json.dumps({"state": trial.state, "reason": trial.reason, "error": error, "seconds": trial.seconds})


def has_failed(run: Run) -> bool:
    """Whether a trial is FAILED; one that was deleted is let be."""
    return run.trial is not None and run.trial.state == State.FAILED and run.deleted is None


def to_run_again(history: Sequence[Run]) -> list[Run]:
    """The history as the driver is to see it: failures that are to be replaced count as waiting."""
    return [_as_waiting(run) if is_retried(run) else run for run in history]


def is_retried(run: Run) -> bool:
    """Whether a trial is FAILED and that failure is to be replaced."""
    trial = run.trial
    return trial is not None and has_failed(run) and run.tags.get(RETRY_TAG) == str(trial.attempt)


def _as_waiting(run: Run) -> Run:
    return replace(run, trial=replace(run.trial, state=State.WAITING)) if run.trial else run

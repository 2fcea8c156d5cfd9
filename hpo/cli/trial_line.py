"""A trial that ended, as one line."""

from collections.abc import Collection

from hpo.cli.text import cell, one_line
from hpo.constraints import INFEASIBLE_TAG
from hpo.progress import Progress
from hpo.space import Params
from hpo.trial import Outcome, State, Trial

LONGEST = 300


def trial_line(trial: Trial, outcome: Outcome, progress: Progress, metric: str, others: Collection[str] = ()) -> str:
    """Such as `trial 17 COMPLETE roc_auc=0.9958 best=0.9958(#17) 0.4s clf=svc clf__C=3.1`.

    Of a pruned one, in the place of its value, the last step and what it had reached: `PRUNED step 3 roc_auc=0.71`.
    One that violates constraints on metrics is called infeasible. `others` are the metrics after the first; with them
    the size of the front stands in the place of the best.
    """
    words = [f"trial {trial.number} {outcome.state}"]
    if outcome.state is State.FAILED:
        words.append(f"{outcome.reason}: {outcome.error}" if outcome.error else outcome.reason)
    elif outcome.state is State.PRUNED:
        words += _last_report(outcome, metric)
    else:
        words += [f"{name}={outcome.metrics[name]:.6g}" for name in (metric, *others) if name in outcome.metrics]
    if outcome.tags.get(INFEASIBLE_TAG):
        words.append("infeasible")
    if progress.front:
        words.append(f"front {progress.front}")
    if progress.best is not None:
        words.append(f"best={progress.best:.6g}(#{progress.best_number})")
    words.append(f"{outcome.seconds:.1f}s")
    words.append(params_text(trial.params))
    line = one_line(" ".join(words))
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def _last_report(outcome: Outcome, metric: str) -> list[str]:
    reports = [report for report in outcome.reports if report.metric == metric]
    if not reports:
        return []
    last = max(reports, key=lambda report: report.step)
    return [f"step {last.step}", f"{metric}={last.value:.6g}"]


def params_text(params: Params) -> str:
    """Params as `name=value` words."""
    return " ".join(f"{name}={cell(value)}" for name, value in params.items())

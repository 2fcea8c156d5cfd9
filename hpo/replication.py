"""Runs one point several times, each with another seed, and takes that together as the trial's one outcome."""

import hashlib
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hpo.failure_text import failure_line, failure_traceback
from hpo.front import Goals
from hpo.gathered import Gathered, SaveFailed
from hpo.live_trial import Ask
from hpo.objective import TrialFiles
from hpo.trial import Goal, Metrics, Outcome, Report, State, Trial, derive_seed

COUNT_TAG = "hpo.replicates"
"""On a trial: of how many replicates its metrics are made."""

Attempt = Callable[[Trial, Gathered], Outcome]
"""Runs one replicate, with what it gathers; saves no models."""


@dataclass(frozen=True)
class Replication:
    """How often a point is run, and what becomes its value: the `mean`, the `median`, or `lcb`.

    `lcb` is the mean made worse by `margin` standard errors: mean - margin * s / sqrt(n) where more is better and the
    same with + where less is, s being the sample standard deviation. It is the confidence bound of the mean by which
    "upper confidence bound" policies rank (Auer, Cesa-Bianchi and Fischer 2002, "Finite-time analysis of the
    multiarmed bandit problem"), taken on the cautious side, so that a point is not best for having been lucky.
    `each`: a pruner is told each replicate's own value, where it compares the same step of trials in pairs.
    """

    seeds: int
    aggregate: str
    margin: float = 1.0
    each: bool = False

    def value(self, values: Sequence[float], goal: Goal | None) -> float:
        """The aggregate; without a goal nobody knows which way is worse, and lcb is the mean."""
        if not all(map(math.isfinite, values)):
            return math.nan
        if self.aggregate == "median":
            return statistics.median(values)
        mean = _mean(values)
        if self.aggregate == "mean" or goal is None or len(values) < 2:
            return mean
        cost = self.margin * spread(values) / math.sqrt(len(values))
        return mean + cost if goal is Goal.MINIMIZE else mean - cost

    def metrics(self, found: Sequence[Metrics], goals: Goals) -> dict[str, float]:
        """The aggregate of every metric that all replicates have, and its sample standard deviation as `<name>_std`.

        What a replicate itself calls `<name>_std` (of its folds, say) gives way to that. For lcb the mean of the
        sweep's metrics is there as `<name>_mean`.
        """
        names = [name for name in found[0] if all(name in metrics for metrics in found)]
        made: dict[str, float] = {}
        for name in names:
            if name.endswith("_std") and name.removesuffix("_std") in names:
                continue
            values = [metrics[name] for metrics in found]
            made[name] = self.value(values, goals.get(name))
            deviation = spread(values) if all(map(math.isfinite, values)) else math.nan
            if len(values) > 1 and math.isfinite(deviation):
                made[f"{name}_std"] = deviation
            if self.aggregate == "lcb" and name in goals:
                made.setdefault(f"{name}_mean", _mean(values))
        return made


def replicate_of(trial: Trial, index: int) -> Trial:
    """The replicate of this index as a trial of its own: a run, a seed and a folder that follow from the trial's.

    The first has the trial's own seed, so what is made of that seed again is made of the first replicate.
    """
    run_id = hashlib.sha256(f"{trial.run_id}:replicate {index}".encode()).hexdigest()[:32]
    return replace(
        trial,
        run_id=run_id if trial.run_id else "",
        seed=trial.seed if index == 0 else derive_seed(trial.seed, index, "replicate"),
        directory=f"{trial.directory}/replicate-{index}" if trial.directory else "",
        artifact_uri=trial.artifact_uri.replace(trial.run_id, run_id) if trial.run_id else trial.artifact_uri,
        bar=math.nan,
    )


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation of finite values, also of huge ones; 0 of a single one."""
    scale = max(map(abs, values)) or 1.0
    return scale * statistics.stdev([value / scale for value in values]) if len(values) > 1 else 0.0


def _mean(values: Sequence[float]) -> float:
    scale = max(map(abs, values))
    return scale * statistics.fmean(value / scale for value in values) if 0 < scale < math.inf else values[0]


def run_replicates(
    attempt: Attempt,
    trial: Trial,
    settings: Replication,
    *,
    goals: Goals,
    files: TrialFiles | None,
    keeps: Callable[[Metrics], bool],
    ask: Ask | None = None,
) -> Outcome:
    """One outcome of all replicates, with theirs in it. The first goal is that of the sweep's metric.

    The trial reports after each replicate, so a pruner may stop it between two of them; what an objective reports on
    its way stays with the replicate. One that fails makes the trial FAILED for that reason, and the rest is not run.
    The models are those that the first replicate offered, saved where `keeps` the aggregate says so.
    """
    metric = next(iter(goals))
    started, clock = int(time.time() * 1000), time.perf_counter()
    done: list[Outcome] = []
    reports: list[Report] = []
    first: Gathered | None = None
    end: Mapping[str, object] = {}
    for index in range(settings.seeds):
        own = replicate_of(trial, index)
        gathered = Gathered(own, files)
        first = first or gathered
        done.append(attempt(own, gathered))
        end = _early_end(done[-1], index, settings.seeds)
        if end:
            break
        values = [outcome.metrics[metric] for outcome in done]
        value = values[-1] if settings.each else settings.value(values, goals[metric])
        reports.append(Report(metric, value, index + 1, int(time.time() * 1000)))
        if index + 1 < settings.seeds and ask is not None and ask(reports[-1:]):
            end = {"state": State.PRUNED}
            break
    whole = Outcome(
        trial.number,
        trial.attempt,
        State.COMPLETE,
        reports=tuple(reports),
        tags={**done[0].tags, COUNT_TAG: str(len(reports))},
        replicates=tuple(done),
        started=started,
        inputs=tuple({(data.name, data.digest): data for each in done for data in each.inputs}.values()),
    )
    if not end and first is not None:
        whole = replace(whole, metrics=settings.metrics([outcome.metrics for outcome in done], goals))
        whole = _with_models(whole, trial, first, files) if first.offered and keeps(whole.metrics) else whole
    whole = replace(whole, **end)  # type: ignore[arg-type]  # fields of an Outcome
    return replace(whole, seconds=time.perf_counter() - clock)


def _early_end(outcome: Outcome, index: int, count: int) -> Mapping[str, object]:
    """What the trial ends with because of this replicate; empty where it goes on."""
    if outcome.state is State.COMPLETE:
        return {}
    if outcome.state is State.PRUNED:
        return {"state": State.PRUNED}
    error = f"replicate {index + 1} of {count} (seed {index}): {outcome.error}"
    return {"state": State.FAILED, "reason": outcome.reason, "error": error, "traceback": outcome.traceback}


def _with_models(whole: Outcome, trial: Trial, first: Gathered, files: TrialFiles | None) -> Outcome:
    gathered = Gathered(trial, files)
    gathered.offered = first.offered
    try:
        gathered.save_models()
    except Exception as error:
        reason = "artifact" if isinstance(error, SaveFailed) else "exception"
        text, trace = failure_line(error), failure_traceback(error)
        return replace(whole, state=State.FAILED, reason=reason, error=text, traceback=trace)
    return replace(
        whole,
        reports=(*whole.reports, *gathered.reports),
        tags={**whole.tags, **gathered.tags},
        files=tuple(gathered.files.values()),
        models=tuple(gathered.models.values()),
    )

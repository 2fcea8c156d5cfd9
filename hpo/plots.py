"""Pictures of a sweep."""

import math
from collections.abc import Callable, Mapping, Sequence

from hpo.constraints import INFEASIBLE_TAG
from hpo.drawing import Figure, as_text, new_figure
from hpo.errors import EngineError
from hpo.front_on_record import FrontOnRecord, values_of
from hpo.trial import Goal
from trackers.records import Run


def plot(kind: str, runs: Sequence[Run], *, metric: str, goal: Goal) -> Figure:
    """The figure of that kind over the trials that have a value; EngineError for an unknown kind."""
    if kind not in PLOTS:
        raise EngineError(f"no plot named {kind!r}; there are: {', '.join(PLOTS)}")
    figure = new_figure(8, 4)
    PLOTS[kind](figure, [run for run in runs if run.trial and run.trial.value is not None], metric, goal)
    return figure


def plot_front(trials: Sequence[Run], front: FrontOnRecord) -> Figure:
    """The complete trials by the first two metrics of a sweep, those of its front joined by steps."""
    first, second = list(front.goals)[:2]
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    others = [run.metrics for run in trials if values_of(run.metrics, front.goals)]
    axes.plot([row[first] for row in others], [row[second] for row in others], "o", alpha=0.3, label="trial")
    members = sorted((run.metrics[first], run.metrics[second]) for run in front.members)
    # what lies behind the steps is beaten; of more than two metrics it is a view of the front, and no line
    steps = "post" if front.goals[first] is Goal.MINIMIZE else "pre"
    drawn = {"drawstyle": f"steps-{steps}"} if len(front.goals) == 2 else {"linestyle": "none"}
    axes.plot([x for x, _ in members], [y for _, y in members], marker="o", label="front", **drawn)  # type: ignore[arg-type]
    axes.set(xlabel=as_text(f"{first} ({front.goals[first]})"), ylabel=as_text(f"{second} ({front.goals[second]})"))
    axes.legend()
    return figure


def _history(figure: Figure, runs: Sequence[Run], metric: str, goal: Goal) -> None:
    axes = figure.add_subplot()
    numbers = [run.trial.number for run in runs if run.trial]
    values = [_value(run) for run in runs]
    best: list[float] = []
    for run, value in zip(runs, values, strict=True):
        is_best = INFEASIBLE_TAG not in run.tags and (not best or goal.better(value, best[-1]) or math.isnan(best[-1]))
        best.append(value if is_best else best[-1] if best else math.nan)
    axes.plot(numbers, values, "o", alpha=0.5, label="trial")
    axes.step(numbers, best, where="post", label="best so far")
    axes.set(xlabel="trial", ylabel=as_text(f"{metric} ({goal})"))
    axes.legend()


def _parallel(figure: Figure, runs: Sequence[Run], metric: str, goal: Goal) -> None:
    axes = figure.add_subplot()
    params = {run.id: (run.trial or run).params for run in runs}
    names = list(dict.fromkeys(name for run in runs for name in params[run.id]))
    scales: Mapping[str, dict[object, float]] = {
        name: _heights([params[run.id].get(name) for run in runs]) for name in names
    }
    heights = _heights([_value(run) for run in runs])
    # the best on top of the others: drawn last, in full colour
    for run in sorted(runs, key=_value, reverse=goal is Goal.MINIMIZE):
        line = [scales[name][params[run.id].get(name)] for name in names] + [heights[_value(run)]]
        share = heights[_value(run)] if goal is Goal.MAXIMIZE else 1 - heights[_value(run)]
        axes.plot(range(len(line)), line, color=(0.1, 0.3, 0.7), alpha=0.1 + 0.9 * share**2)
    axes.set_xticks(range(len(names) + 1), [as_text(name) for name in (*names, metric)], rotation=30, ha="right")
    axes.set_yticks([])


def _heights(values: Sequence[object]) -> dict[object, float]:
    """Each value's place from 0 to 1: numbers by size, others by their order of appearance, None below all."""
    given = list(dict.fromkeys(value for value in values if value is not None))
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        low, high = min(given), max(given)  # type: ignore[type-var]  # all are numbers
        span = (high - low) or 1  # type: ignore[operator]
        return {None: -0.05, **{value: (value - low) / span for value in given}}  # type: ignore[operator]
    return {None: -0.05, **{value: place / max(len(given) - 1, 1) for place, value in enumerate(given)}}


def _value(run: Run) -> float:
    return run.trial.value if run.trial and run.trial.value is not None else float("nan")


PLOTS: Mapping[str, Callable[[Figure, Sequence[Run], str, Goal], None]] = {"history": _history, "parallel": _parallel}

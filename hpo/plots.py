"""Pictures of a sweep."""

import math
from collections.abc import Callable, Mapping, Sequence

from hpo.constraints import INFEASIBLE_TAG
from hpo.drawing import Figure, as_text, new_figure
from hpo.errors import EngineError
from hpo.front_on_record import FrontOnRecord, values_of
from hpo.trial import Goal
from trackers.records import Run

_DECADES = 1000
"""So many times the smallest value the largest is where an axis is drawn by logarithms."""
_FEW = 5
_UNDER_TEXT = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}


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
    # the best on top of the others: drawn last, in full colour, by rank, so that one bad value does not make all alike
    ranked = sorted(runs, key=_value, reverse=goal is Goal.MINIMIZE)
    for at, run in enumerate(ranked, start=1):
        line = [scales[name][params[run.id].get(name)] for name in names] + [heights[_value(run)]]
        axes.plot(range(len(line)), line, color=(0.1, 0.3, 0.7), alpha=0.08 + 0.92 * (at / len(ranked)) ** 3)
    for across, places in enumerate([*scales.values(), heights]):
        for value, height in _marked(places):
            axes.text(across, height, as_text(_short(value)), fontsize=7, ha="center", bbox=_UNDER_TEXT)
    axes.set_xticks(range(len(names) + 1), [as_text(name) for name in (*names, metric)], rotation=30, ha="right")
    axes.set_yticks([])


def _heights(values: Sequence[object]) -> dict[object, float]:
    """Each value's place from 0 to 1: numbers by size (by its logarithm where they are decades apart), others by their
    order of appearance, None below all."""
    given = list(dict.fromkeys(value for value in values if value is not None))
    numbers = [value for value in given if isinstance(value, int | float) and not isinstance(value, bool)]
    if not given or len(numbers) < len(given):
        return {None: -0.05, **{value: place / max(len(given) - 1, 1) for place, value in enumerate(given)}}
    is_log = min(numbers) > 0 and max(numbers) / min(numbers) >= _DECADES
    placed = {value: math.log10(value) if is_log else value for value in numbers}
    low, span = min(placed.values()), (max(placed.values()) - min(placed.values())) or 1
    return {None: -0.05, **{value: (place - low) / span for value, place in placed.items()}}


def _marked(places: Mapping[object, float]) -> list[tuple[object, float]]:
    """What is written beside an axis: all choices where there are few, else the two ends."""
    known = [(value, height) for value, height in places.items() if value is not None and math.isfinite(height)]
    known.sort(key=lambda each: each[1])
    return known if len(known) <= _FEW else [known[0], known[-1]]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)[:12]


def _value(run: Run) -> float:
    return run.trial.value if run.trial and run.trial.value is not None else float("nan")


PLOTS: Mapping[str, Callable[[Figure, Sequence[Run], str, Goal], None]] = {"history": _history, "parallel": _parallel}

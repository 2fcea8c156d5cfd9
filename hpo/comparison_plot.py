"""The picture of several sweeps: how fast each came to its best, and what values it found."""

import math
from collections.abc import Sequence

from hpo.course import Course
from hpo.drawing import Axes, Figure, Line2D, new_figure
from hpo.errors import ConfigError
from hpo.front import Goals, front
from hpo.sweep_compare import Compared, Comparison
from hpo.trial import Goal

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Apart from each other for every kind of colour blindness (Okabe and Ito, "Color Universal Design", 2008)."""
STYLES = ("-", "--", "-.", ":")
"""Tell lines apart in print without colour."""
LONGEST = 40
_LARGEST = 1e300
"""Axes cannot show the distance of numbers beyond."""


def plot_comparison(comparison: Comparison) -> Figure:
    """Best so far against trials and against seconds, and the share of trials that are at least as good as a value.

    Of several metrics it is the hypervolume so far, and the fronts by the first two. ConfigError where the sweeps are
    not searched by the same.
    """
    if comparison.why_not:
        raise ConfigError(f"there is nothing to draw together: {comparison.why_not}; see --metric")
    figure = new_figure(12, 4.2)
    trials, seconds, values = figure.subplots(1, 3)
    drawn = [(sweep, sweep.course, _look(at)) for at, sweep in enumerate(comparison.sweeps) if sweep.course]
    handles = [Line2D([], [], linewidth=1.8, **look) for _, _, look in drawn]  # type: ignore[arg-type]  # its keywords
    for sweep, course, look in drawn:
        _by_trial(trials, course, look)
        _by_seconds(seconds, course, sweep, look)
    label = _label(comparison.goals)
    for axes, what in ((trials, "trials"), (seconds, "seconds")):
        axes.set_xlabel(what)
        axes.set_ylabel(label, parse_math=False)
        axes.set_ylim(*_shown([course for _, course, _ in drawn]))
    if len(comparison.goals) == 1:
        _distributions(values, drawn, comparison.goals)
    else:
        _fronts(values, drawn, comparison.goals)
    names = [_plain(sweep.run.name) for sweep, _, _ in drawn]
    legend = figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 4) or 1)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


Look = dict[str, object]
_Drawn = Sequence[tuple[Compared, Course, Look]]


def _look(position: int) -> Look:
    return {"color": COLOURS[position % len(COLOURS)], "linestyle": STYLES[position % len(STYLES)]}


def _by_trial(axes: Axes, course: Course, look: Look) -> None:
    points = [(at, best) for at, best in enumerate(course.by_trial, start=1) if _fits(best)]
    _steps(axes, points, look)


def _by_seconds(axes: Axes, course: Course, sweep: Compared, look: Look) -> None:
    """Up to when the sweep ended, since it went on searching after its best."""
    points = [(seconds, best) for seconds, best in course.by_seconds if _fits(best)]
    last = max(sweep.seconds or 0.0, points[-1][0]) if points else 0.0
    _steps(axes, [*points, *((last, best) for _, best in points[-1:])], look)


def _steps(axes: Axes, points: Sequence[tuple[float, float | None]], look: Look) -> None:
    axes.step([x for x, _ in points], [y for _, y in points], where="post", linewidth=1.8, **look)  # type: ignore[arg-type]


def _distributions(axes: Axes, drawn: _Drawn, goals: Goals) -> None:
    """The empirical distribution function of each sweep's values, from its best end."""
    [(name, goal)] = goals.items()
    for _, course, look in drawn:
        values = sorted((row[0] for row in course.values if _fits(row[0])), reverse=goal is Goal.MAXIMIZE)
        shares = [place / len(values) for place in range(1, len(values) + 1)]
        axes.step(values, shares, where="post", linewidth=1.8, **look)  # type: ignore[arg-type]
    every = sorted(row[0] for _, course, _ in drawn for row in course.values if _fits(row[0]))
    axes.set_xlim(*_without_tail(every, goal))
    axes.set_xlabel(_plain(f"{name} ({goal})"), parse_math=False)
    axes.set_ylabel("share of trials at least as good")
    axes.set_ylim(0, 1.02)


def _fronts(axes: Axes, drawn: _Drawn, goals: Goals) -> None:
    ways = tuple(goals.values())
    first, second = list(goals)[:2]
    for _, course, look in drawn:
        members = [course.values[at] for at in front(course.values, ways)] if course.values else []
        points = sorted((row[0], row[1]) for row in members if _fits(row[0]) and _fits(row[1]))
        # what lies behind the steps is beaten; of more than two metrics it is a view of the front, and no line
        style = {"linestyle": "none"} if len(ways) > 2 else {}
        drawstyle = "steps-post" if ways[0] is Goal.MINIMIZE else "steps-pre"
        xs, ys = [x for x, _ in points], [y for _, y in points]
        axes.plot(xs, ys, marker="o", markersize=4, drawstyle=drawstyle, **{**look, **style})  # type: ignore[arg-type]
    axes.set_xlabel(_plain(f"{first} ({goals[first]})"), parse_math=False)
    axes.set_ylabel(_plain(f"{second} ({goals[second]})"), parse_math=False)


def _label(goals: Goals) -> str:
    if len(goals) > 1:
        return "hypervolume so far"
    [(name, goal)] = goals.items()
    return _plain(f"best {name} so far ({goal})")


def _shown(courses: Sequence[Course]) -> tuple[float | None, float | None]:
    """The range in which the best so far moves after the first trials, which may be far off."""
    late = [
        best for of in courses for best in of.by_trial[len(of.by_trial) // 20 :] if best is not None and _fits(best)
    ]
    if not late or min(late) == max(late):
        return None, None
    margin = (max(late) - min(late)) / 20
    return min(late) - margin, max(late) + margin


def _without_tail(values: Sequence[float], goal: Goal) -> tuple[float | None, float | None]:
    """Where the worst twentieth would take most of the width it is cut off; `values` ascend."""
    if len(values) < 20:
        return None, None
    ascending = values if goal is Goal.MINIMIZE else [-value for value in reversed(values)]
    low, high, end = ascending[0], ascending[len(values) * 19 // 20], ascending[-1]
    if high <= low or end - low < 3 * (high - low):
        return None, None
    margin = (high - low) / 20
    cut = low - margin, high + margin
    return cut if goal is Goal.MINIMIZE else (-cut[1], -cut[0])


def _fits(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and abs(value) < _LARGEST


def _plain(text: str) -> str:
    """The text on one line, cut where it is long; what cannot be printed would break the file."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."

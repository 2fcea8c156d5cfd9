"""The history of a sweep, values and the best so far, as a small SVG picture; no library is needed for it."""

from collections.abc import Sequence

from hpo.report.texts import escaped, number
from hpo.trial import Goal

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
MOST = 2000
"""Points that are drawn; more are thinned evenly."""


def history_svg(points: Sequence[tuple[int, float, bool]], metric: str, goal: Goal) -> str:
    """The picture of (number, value, may be the best), in the order of numbers; '' where there is none."""
    if not points:
        return ""
    best = best_so_far(points, goal)
    numbers, values = [number for number, _, _ in points], sorted(value for _, value, _ in points)
    # far outliers would press all others into a line: a twentieth may lie beyond the edge
    spare = len(values) // 20 if len(values) >= 20 else 0
    low, high = (values[0], values[-1 - spare]) if goal is Goal.MINIMIZE else (values[spare], values[-1])
    across = _Axis(min(numbers), max(numbers), _LEFT, WIDTH - _RIGHT)
    up = _Axis(low, high, HEIGHT - _BOTTOM, _TOP)
    shown = points[:: max(1, len(points) // MOST)]
    dots = "".join(
        f'<circle cx="{across(at):.1f}" cy="{up(value):.1f}" r="2.5" fill="#0072B2" fill-opacity="0.45"/>'
        for at, value, _ in shown
    )
    line = "".join(
        f"{'H' if step else 'M'}{across(at):.1f}{' ' if not step else 'V'}{up(value):.1f}"
        for step, (at, value) in enumerate(best)
    )
    line += f"H{WIDTH - _RIGHT}" if line else ""
    label = f"{metric} ({goal}) of {len(points)} trials"
    label += f", the best {number(best[-1][1])} by trial {best[-1][0]}" if best else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escaped(label)}" font-family="sans-serif" font-size="11" fill="currentColor">'
        f'<path d="M{_LEFT} {_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}" fill="none" stroke="currentColor" '
        f'stroke-opacity="0.4"/>{dots}<path d="{line}" fill="none" stroke="#D55E00" stroke-width="2"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{number(high)}</text>'
        f'<text x="{_LEFT - 6}" y="{HEIGHT - _BOTTOM}" text-anchor="end">{number(low)}</text>'
        f'<text x="{_LEFT}" y="{HEIGHT - 10}">{min(numbers)}</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{max(numbers)}</text>'
        f'<text x="{WIDTH // 2}" y="{HEIGHT - 10}" text-anchor="middle">trial; line: best so far</text>'
        "</svg>"
    )


def best_so_far(points: Sequence[tuple[int, float, bool]], goal: Goal) -> list[tuple[int, float]]:
    """The trials that were the best when they came, by number."""
    best: list[tuple[int, float]] = []
    for at, value, may_be in points:
        if may_be and goal.better(value, best[-1][1] if best else None):
            best.append((at, value))
    return best


class _Axis:
    """A number's place between two pixels, held to them."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._start, self._length = start, end - start

    def __call__(self, value: float) -> float:
        share = min(max((value - self._low) / self._span, 0.0), 1.0)
        return self._start + share * self._length

"""The history of a sweep as a picture made of characters."""

import shutil
import sys
from collections.abc import Sequence

from hpo.cli.text import number, one_line
from hpo.report.answers import page_of
from hpo.report.history_svg import best_so_far
from hpo.report.notebook import history_points
from hpo.trial import Goal
from trackers.opening import Store
from trackers.records import Run

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Of a braille character, by row and column (Unicode, U+2800 to U+28FF)."""
_MARGIN = 12
_DENSE = 5
"""More dots than so many times the columns would be one grey; then an even share of the points is drawn."""


def history_picture(store: Store, parent: Run) -> str:
    """The history of a sweep's metric over all its trials, as wide as the terminal; '' where no trial has a value."""
    page = page_of(store, parent)
    points = history_points(page)
    if not points:
        return ""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    width = min(shutil.get_terminal_size().columns, 120)
    is_plain = not encoding.startswith("utf")
    return history_plot(points, page.metric or "value", page.table.goal, width=width, height=16, is_plain=is_plain)


def history_plot(
    points: Sequence[tuple[int, float, bool]], metric: str, goal: Goal, *, width: int, height: int, is_plain: bool
) -> str:
    """Values as dots and the best so far as a line, in so many characters; `is_plain`: in ASCII.

    Points are (number, value, may be the best), in the order of numbers, and there must be one.
    """
    best = best_so_far(points, goal)
    values = sorted(value for _, value, _ in points)
    spare = len(values) // 20 if len(values) >= 20 else 0  # as in the notebook's picture: few may lie beyond the edge
    low, high = (values[0], values[-1 - spare]) if goal is Goal.MINIMIZE else (values[spare], values[-1])
    margin = max(_MARGIN, len(number(low)) + 2, len(number(high)) + 2)
    columns, rows = max(10, width - margin), max(4, height - 2)
    first, last = points[0][0], points[-1][0]
    down, across = (1, 1) if is_plain else (4, 2)

    def place(at: int, value: float) -> tuple[int, int]:
        share = min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)
        x = round((at - first) / ((last - first) or 1) * (columns * across - 1))
        return round((1 - share) * (rows * down - 1)), x

    cells = [[0] * columns for _ in range(rows)]
    for at, value, _ in points[:: len(points) // (columns * _DENSE) + 1]:
        _set(cells, *place(at, value), down, across)
    line = [[False] * columns for _ in range(rows)]
    ends = [at for at, _ in best[1:]] + [last]
    for (at, value), until in zip(best, ends, strict=False):  # where none may be the best there is no line
        (y, x), (_, end) = place(at, value), place(until, value)
        for column in range(x, end + 1):
            _set(cells, y, column, down, across)
            line[y // down][column // across] = True
    drawn = ["".join(_sign(cells[y][x], line[y][x], is_plain=is_plain) for x in range(columns)) for y in range(rows)]
    labels = [number(high), *[""] * (rows - 2), number(low)]
    edge = "|" if is_plain else "\u2502"
    body = [f"{label:>{margin - 2}} {edge}{text}".rstrip() for label, text in zip(labels, drawn, strict=True)]
    foot = f"{'':>{margin}}{first}{last:>{max(1, columns - len(str(first)))}}"
    head = (
        f"{one_line(metric)} ({goal}) by trial; line: best so far, {number(best[-1][1])} by trial {best[-1][0]}"
        if best
        else one_line(metric)
    )
    return "\n".join([head, *body, foot])


def _set(cells: list[list[int]], y: int, x: int, down: int, across: int) -> None:
    cells[y // down][x // across] |= _DOTS[y % down][x % across]


def _sign(dots: int, is_line: bool, *, is_plain: bool) -> str:
    if is_plain:
        return "-" if is_line else "*" if dots else " "
    return chr(0x2800 + dots) if dots else " "

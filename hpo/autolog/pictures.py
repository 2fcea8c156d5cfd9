"""Pictures as SVG text, drawn without a library: they cost a millisecond, so every kept model can have them."""

from collections.abc import Sequence
from html import escape

CELL, LEFT, TOP = 46, 130, 60
WIDTH, HEIGHT = 620, 420
INK, GRID, BLUE, RED = "#222", "#ccc", "#2f6db3", "#b3402f"
TEXT_LIMIT = 22


def confusion_picture(labels: Sequence[str], counts: Sequence[Sequence[int]], title: str) -> str:
    """True classes as rows, predicted ones as columns, darker where there are more rows of that class."""
    size = CELL * len(labels)
    parts = [_text(LEFT + size / 2, 22, title, size=14), _text(LEFT + size / 2, TOP + size + 44, "predicted")]
    for row, (label, line) in enumerate(zip(labels, counts, strict=True)):
        y = TOP + row * CELL
        parts.append(_text(LEFT - 8, y + CELL / 2 + 4, label, anchor="end"))
        parts.append(_text(LEFT + row * CELL + CELL / 2, TOP + size + 18, label[:7]))
        for column, count in enumerate(line):
            share = count / (sum(line) or 1)
            x = LEFT + column * CELL
            parts.append(_box(x, y, CELL, CELL, BLUE, share))
            parts.append(_text(x + CELL / 2, y + CELL / 2 + 4, f"{count}", fill="#fff" if share > 0.5 else INK))
    parts.append(f'<rect x="{LEFT}" y="{TOP}" width="{size}" height="{size}" fill="none" stroke="{GRID}"/>')
    parts.append(_text(18, TOP + size / 2, "true", turned=True))
    return _picture(max(LEFT + size + 30, 2 * (LEFT + size / 2)), TOP + size + 60, parts)


def residual_picture(predicted: Sequence[float], residuals: Sequence[float], title: str) -> str:
    """What was predicted from left to right, and how far off it was, true minus predicted, up and down."""
    across, up = _Scale(predicted, 70, WIDTH - 20), _Scale([*residuals, 0.0], HEIGHT - 50, 40)
    parts = [_text(WIDTH / 2, 22, title, size=14), _text(WIDTH / 2, HEIGHT - 8, "predicted")]
    parts.append(_text(18, HEIGHT / 2, "true - predicted", turned=True))
    parts.append(f'<path d="M70 {up.of(0):.1f}H{WIDTH - 20}" stroke="{GRID}"/>')
    for value, anchor in ((across.low, "start"), (across.high, "end")):
        parts.append(_text(across.of(value), HEIGHT - 30, f"{value:.4g}", anchor=anchor))
    parts += [_text(64, up.of(value) + 4, f"{value:.4g}", anchor="end") for value in (up.low, up.high)]
    dots = "".join(
        f"M{across.of(x):.1f} {up.of(y):.1f}h0" for x, y in zip(predicted, residuals, strict=True)
    )  # a line without length and with round ends is a dot
    parts.append(f'<path d="{dots}" stroke="{BLUE}" stroke-width="5" stroke-linecap="round" stroke-opacity="0.5"/>')
    return _picture(WIDTH, HEIGHT, parts)


def importance_picture(features: Sequence[str], weights: Sequence[float], title: str) -> str:
    """A bar for each feature, as long as its weight is large, of another colour where it is negative."""
    largest = max(map(abs, weights), default=0) or 1.0
    left, line = 200, 20
    parts = [_text(WIDTH / 2, 22, title, size=14)]
    for place, (feature, weight) in enumerate(zip(features, weights, strict=True)):
        y = 40 + place * line
        length = abs(weight) / largest * (WIDTH - left - 90)
        parts.append(_text(left - 8, y + 12, feature, anchor="end", limit=28))
        parts.append(_box(left, y, length, line - 6, BLUE if weight >= 0 else RED, 0.8))
        parts.append(_text(left + length + 6, y + 12, f"{weight:.4g}", anchor="start"))
    return _picture(WIDTH, 52 + len(features) * line, parts)


class _Scale:
    """Puts the values' range onto a range of pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = min(values), max(values)
        self._start, self._span = start, end - start

    def of(self, value: float) -> float:
        """The pixel of a value; in the middle where all values are the same."""
        width = self.high - self.low
        return self._start + self._span * ((value - self.low) / width if width > 0 else 0.5)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "middle",
    size: int = 12,
    fill: str = INK,
    turned: bool = False,
    limit: int = TEXT_LIMIT,
) -> str:
    shown = text if size > 12 or len(text) <= limit else text[: limit - 2] + ".."
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"'
    return f"<text {place}{turn}>{escape(_printable(shown))}</text>"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)  # XML has no word for the others


def _box(x: float, y: float, width: float, height: float, fill: str, opacity: float) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}" fill-opacity="{opacity:.2f}"/>'


def _picture(width: float, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="sans-serif">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"])

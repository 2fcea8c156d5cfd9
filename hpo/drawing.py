"""matplotlib, as far as pictures need it: the one place that imports it, and says how to install it."""

import warnings
from pathlib import Path

from hpo.errors import EngineError

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
except ImportError as error:
    raise EngineError('plots need matplotlib; install it with: pip install "tracked-hpo[plots]"') from error

__all__ = ["Axes", "Figure", "Line2D", "as_text", "new_figure", "save_figure"]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def as_text(name: str) -> str:
    """A name as it is drawn: a dollar in it begins no formula."""
    return name.replace("$", r"\$")


def save_figure(figure: Figure, path: Path, kind: str) -> None:
    """Writes it as `png`, `svg` or `pdf`: the same bytes for the same figure, whatever the time."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with rc_context({"svg.hashsalt": "hpo"}), warnings.catch_warnings():
        # names may be written in any script, and fonts know some
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, format=kind, dpi=150, metadata=undated)

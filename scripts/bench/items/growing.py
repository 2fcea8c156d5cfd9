"""Item 3: what a trial costs when many came before, and how much memory the driver has by then."""

from dataclasses import dataclass

from items.scale import Scale
from ratios import Comparison, Item
from turns import ask

SHOWN = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
TEXT = (
    "4 parameters, one process, each side for itself until {trials:,} trials or {limit:.0f} s of trials: milliseconds "
    "a trial, mean of the tenth before each count, and the memory of the driver's process then. Ours is durable in "
    "SQLite after every trial."
)


@dataclass(frozen=True)
class Side:
    name: str
    peer: str
    side: str
    keeps: bool = True


SIDES = (
    Side("ours", "ours", "sqlite"),
    Side("Optuna, SQLite", "optuna", "sqlite"),
    Side("Optuna, journal", "optuna", "journal"),
    Side("ours, in memory", "ours", "memory", keeps=False),
    Side("Optuna, in memory", "optuna", "memory", keeps=False),
    Side("hyperopt, in memory", "hyperopt", "bare", keeps=False),
)


def measure(scale: Scale) -> list[Item]:
    return [_item(scale, sampler) for sampler in ("random", "tpe")]


def _item(scale: Scale, sampler: str) -> Item:
    trials, limit = scale.pick(2_000, 100_000), scale.pick(5, 20, 3_600)
    points: dict[str, dict[int, dict[str, float]]] = {}
    reached: dict[str, str] = {}
    for side in SIDES:
        run = ask(side.peer, side.peer, "growth", limit=limit, side=side.side, sampler=sampler, trials=trials)
        points[side.name] = {int(point["trials"]): point for point in run.answer.get("points", [])}
        reached[side.name] = f"stopped at {run.answer['count']:,}" if run.answer else run.failure
    comparisons = [
        Comparison(
            f"{count:,} trials",
            f"{sampler}: {unit}",
            higher_is_better=False,
            values={name: [found[count][key] / by] if count in found else [] for name, found in points.items()},
            limits=[side.name for side in SIDES if not side.keeps],
            missing={name: _missing(found, count, reached[name]) for name, found in points.items()},
        )
        for unit, key, by in (("ms a trial", "ms", 1), ("MB of the driver", "bytes", 1e6))
        for count in SHOWN
        if any(count in found for found in points.values())
    ]
    text = TEXT.format(trials=trials, limit=limit)
    return Item(f"growth-{sampler}", f"Many trials, {sampler}", text, comparisons, wide=True)


def _missing(found: dict[int, object], count: int, why: str) -> str:
    """Why a side has no value here: said once, where it would have come next."""
    following = next((each for each in SHOWN if each not in found), None)
    return why if following == count else ""

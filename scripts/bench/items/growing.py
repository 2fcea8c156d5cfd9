"""Item 3: what a trial costs when many came before, and how much memory the driver has by then."""

from collections.abc import Iterator
from dataclasses import dataclass

from items.rounds import Rounds
from items.scale import Scale
from ratios import Comparison, Item, present
from turns import ask

SHOWN = (1_000, 3_000, 10_000, 30_000, 100_000)
UNITS = (("ms a trial", "ms", 1), ("MB, the driver's most", "bytes", 1e6))
TO_THE_END = 1_800
TEXT = (
    "4 parameters, one process and one trial after the other, each side until {trials:,} trials or {limit:.0f} s of "
    "trials{but}: milliseconds a trial, mean of the tenth before each count, and the most memory that the driver's "
    "process had until then. Ours is durable in SQLite after every trial."
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


@dataclass(frozen=True)
class Reached:
    """What one run of a side came to: what it noted at each count, and why it went no further, if it did not."""

    points: dict[int, dict[str, float]]
    why: str


def measure_random(scale: Scale) -> Iterator[Item]:
    return _measure(scale, "random")


def measure_tpe(scale: Scale) -> Iterator[Item]:
    return _measure(scale, "tpe")


def _measure(scale: Scale, sampler: str) -> Iterator[Item]:
    """With --full ours goes on to the last trial in the first round, whatever the limit of the others.

    One round if no more are wanted.
    """
    trials, limit = scale.pick(2_000, 100_000), scale.limit or scale.pick(5, 20, 120)
    but = f", ours once to the end or {TO_THE_END} s" if scale.full else ""
    sides = [side for side in SIDES if scale.wants(side.name)]
    found: dict[str, list[Reached]] = {side.name: [] for side in sides}
    for number in range(scale.rounds(1)):
        for side in sides:
            goes_on = scale.full and side.name == "ours" and number == 0
            seconds = max(limit, TO_THE_END) if goes_on else limit
            found[side.name].append(_reached(side, sampler, trials, seconds))
            yield Item(
                f"growth-{sampler}", f"Many trials, {sampler}", TEXT.format(trials=trials, limit=limit, but=but),
                list(_comparisons(found)), wide=True,
            )  # fmt: skip


def _reached(side: Side, sampler: str, trials: int, limit: float) -> Reached:
    run = ask(
        side.peer, side.peer, "growth", limit=limit, hard=limit + 90, side=side.side, sampler=sampler, trials=trials
    )
    points = {int(point["trials"]): point for point in run.answer.get("points", [])}
    if run.failure:
        return Reached(points, run.failure)
    count = int(str(run.answer["count"]))
    return Reached(points, "" if count >= trials else f"stopped at {count:,} after {limit:.0f} s")


def _comparisons(found: dict[str, list[Reached]]) -> Iterator[Comparison]:
    for unit, key, by in UNITS:
        for count in SHOWN:
            rounds = Rounds(found)
            for name, runs in found.items():
                for run in runs:
                    at = run.points.get(count)
                    rounds.add(name, at[key] / by if at else None, _why(run, count))
            if count == SHOWN[0] or any(present(values) for values in rounds.values.values()):
                yield Comparison(
                    f"{count:,} trials", unit, higher_is_better=False, values=rounds.values,
                    limits=[side.name for side in SIDES if not side.keeps], missing=rounds.missing,
                )  # fmt: skip


def _why(run: Reached, count: int) -> str:
    """Why a side has no value here: said once, where it would have come next."""
    following = next((each for each in SHOWN if each not in run.points), None)
    return run.why if following == count else "-"

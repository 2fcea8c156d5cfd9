"""Item 1: what a trial costs that does nothing; item 7: what it leaves on disk."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from items.scale import Scale
from ratios import Comparison, Item
from turns import Run, ask


@dataclass(frozen=True)
class Side:
    """A side of the comparison: which peer's file does what, for how many trials (about three seconds of them)."""

    name: str
    peer: str
    file: str
    side: str
    trials: int
    keeps: str
    jobs: tuple[int, ...] = (1, 2)
    work: str = "overhead"


NOTHING = "nothing"
STUDY = "params, values, states"
RUNS = "MLflow runs"
SIDES = (
    Side("ours", "ours", "ours", "sqlite", 3_000, "params, metrics, states, seeds, code, environment; MLflow runs"),
    Side("ours, in memory", "ours", "ours", "memory", 3_000, NOTHING),
    Side("Optuna, SQLite", "optuna", "optuna", "sqlite", 120, STUDY),
    Side("Optuna, journal", "optuna", "optuna", "journal", 500, STUDY),
    Side("Optuna + MLflowCallback", "optuna", "optuna", "mlflow", 120, RUNS),
    Side("hyperopt + mlflow nested", "hyperopt", "hyperopt", "mlflow", 120, RUNS, jobs=(1,)),
    Side("MlflowClient by hand", "hyperopt", "hyperopt", "client", 200, RUNS, jobs=(1,), work="client"),
    Side("Ray Tune", "ray", "ray", "tune", 100, "a file of results"),
    Side("Ray Tune + MLflow", "ray", "ray", "mlflow", 40, RUNS),
    Side("W&B offline", "wandb", "wandb", "offline", 40, "files to upload"),
    Side("Optuna, in memory", "optuna", "optuna", "memory", 5_000, NOTHING),
    Side("hyperopt, bare", "hyperopt", "hyperopt", "bare", 3_000, NOTHING, jobs=(1,)),
    Side("RandomizedSearchCV", "optuna", "sklearn", "random", 3_000, NOTHING),
    Side("GridSearchCV", "optuna", "sklearn", "grid", 3_000, NOTHING),
    Side("HalvingRandomSearchCV", "optuna", "sklearn", "halving", 2_000, NOTHING),
    Side("joblib alone", "optuna", "sklearn", "joblib", 5_000, NOTHING, jobs=(2,)),
    Side("a bare loop", "optuna", "sklearn", "loop", 100_000, NOTHING, jobs=(1,)),
)
TEXT = (
    "A trivial objective with 5 parameters and 2 metrics, random sampling, each side as its documentation has it fast, "
    "in its own environment. Steady state: the first tenth is not counted (see Start). CPU is that of all its "
    "processes over the whole run, start included; memory their sum at its highest. With 2 workers: ours, Ray, "
    "scikit-learn and joblib have processes; Optuna two processes on one storage, or two threads where there is none; "
    "hyperopt has none without Spark or MongoDB. W&B runs no sweep without a server (see below), so what its agent "
    "does is done by hand: parameters from its package `sweeps`, an offline run for each trial."
)


def measure(scale: Scale) -> Item:
    comparisons = [_compare(scale, jobs) for jobs in (1, 2)]
    return Item("overhead", "Overhead of a trial", TEXT, comparisons, after=_what_wandb_says())


def _what_wandb_says() -> str:
    said = ask("wandb", "wandb", "controller", limit=60).answer.get("said", {})
    each = "; ".join(f"`{name}`: {words}" for name, words in dict(said).items())
    return f"W&B's own ways to run a sweep, offline: {each}." if each else ""


def _compare(scale: Scale, jobs: int) -> Comparison:
    sides = [side for side in SIDES if jobs in side.jobs]
    runs: dict[str, list[Run]] = {side.name: [] for side in sides}
    for _ in range(scale.repeat):
        for side in sides:
            runs[side.name].append(run(side, jobs, _trials(side, scale)))
    return Comparison(
        "one after the other" if jobs == 1 else "two workers",
        "trials/s",
        higher_is_better=True,
        values={name: [float(each.answer["rate"]) for each in found if each.answer] for name, found in runs.items()},
        limits=[side.name for side in sides if side.keeps == NOTHING],
        missing={name: found[0].failure for name, found in runs.items() if not any(each.answer for each in found)},
        more={side.name: _more(side, runs[side.name], _trials(side, scale)) for side in sides},
    )


def _trials(side: Side, scale: Scale) -> int:
    return max(side.trials // 10, 20) if scale.quick else side.trials * (3 if scale.full else 1)


def run(side: Side, jobs: int, trials: int) -> Run:
    return ask(side.peer, side.file, side.work, limit=120, side=side.side, jobs=jobs, trials=trials)


def _more(side: Side, runs: Sequence[Run], trials: int) -> dict[str, str]:
    cpu = statistics.median(each.cpu for each in runs) / trials * 1000
    peak = statistics.median(each.peak for each in runs) / 1e6
    return {"CPU ms a trial": f"{cpu:.2f}", "memory MB": f"{peak:.0f}", "keeps": side.keeps}


def measure_size(scale: Scale) -> Item:
    """Item 7: bytes of two runs, of which one is larger; the difference is what trials take."""
    sides = [side for side in SIDES if side.keeps != NOTHING]
    values: dict[str, list[float]] = {}
    empty: dict[str, dict[str, str]] = {}
    for side in sides:
        many = max(min(_trials(side, scale), 2_000), 40)
        small, large = (_bytes(side, trials) for trials in (many // 4, many))
        if small is None or large is None:
            continue
        each = (large - small) / (many - many // 4)
        values[side.name] = [each * 10_000 / 1e6]
        empty[side.name] = {"before the first trial, MB": f"{max(small - each * (many // 4), 0) / 1e6:.2f}"}
    text = (
        "Blocks on disk, files and folders included, from the difference of a small and a larger run. Of ours, four "
        "fifths are MLflow's own tables and their indexes (5 params, 2 metrics kept twice, 5 tags a trial); what is "
        "written through MlflowClient by hand has fewer tags, Optuna's journal is a text without indexes."
    )
    comparison = Comparison(
        "10,000 trials", "MB on disk", higher_is_better=False, values=values,
        missing={side.name: "failed" for side in sides if side.name not in values}, more=empty,
    )  # fmt: skip
    return Item("size", "Size of the store", text, [comparison])


def _bytes(side: Side, trials: int) -> int | None:
    found = run(side, 1, trials).answer.get("bytes")
    return None if found is None else int(found)

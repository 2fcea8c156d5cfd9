"""Item 1: what a trial costs that does nothing; item 7: what it leaves on disk."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from items.rounds import Rounds
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

    def renamed(self, name: str) -> "Side":
        return replace(self, name=name)


LIMIT = 120
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


SIZE_TEXT = (
    "Blocks on disk, files and folders included, from the difference of a small and a larger run. Of ours most is "
    "MLflow's own tables (5 params, 2 metrics kept twice, 5 tags a trial), which new files keep by run "
    "([the store](store.md)); what is written through MlflowClient by hand has fewer tags, Optuna's journal is a text "
    "without indexes."
)


def measure(scale: Scale) -> Iterator[Item]:
    said, made = _what_wandb_says(), []
    for jobs in (1, 2):
        comparison = None
        for comparison in compare(SIDES, scale, jobs, "one after the other" if jobs == 1 else "two workers"):
            yield Item("overhead", "Overhead of a trial", TEXT, [*made, comparison], after=said)
        made += [comparison] if comparison else []


def _what_wandb_says() -> str:
    said = ask("wandb", "wandb", "controller", limit=60).answer.get("said", {})
    each = "; ".join(f"`{name}`: {words}" for name, words in dict(said).items())
    return f"W&B's own ways to run a sweep, offline: {each}." if each else ""


def compare(
    among: Sequence[Side], scale: Scale, jobs: int, name: str, new_database: Callable[[], str] | None = None
) -> Iterator[Comparison]:
    """After each run, what is known by then; on the databases given, else each on one of its own in SQLite."""
    sides = [side for side in among if jobs in side.jobs and scale.wants(side.name)]
    rounds = Rounds(side.name for side in sides)
    runs: dict[str, list[Run]] = {side.name: [] for side in sides}
    for _ in range(scale.rounds()):
        for side in sides:
            uri = {"uri": new_database()} if new_database else {}
            done = run(side, jobs, _trials(side, scale), limit=scale.limit or LIMIT, **uri)
            runs[side.name].append(done)
            rounds.add(side.name, done.answer.get("rate"), done.failure)
            yield Comparison(
                name, "trials/s", higher_is_better=True, values=rounds.values, missing=rounds.missing,
                limits=[each.name for each in sides if each.keeps == NOTHING],
                more={each.name: _more(each, runs[each.name], _trials(each, scale)) for each in sides},
            )  # fmt: skip


def _trials(side: Side, scale: Scale) -> int:
    return max(side.trials // 10, 20) if scale.quick else side.trials * (3 if scale.full else 1)


def run(side: Side, jobs: int, trials: int, *, limit: float = LIMIT, **more: object) -> Run:
    return ask(side.peer, side.file, side.work, limit=limit, side=side.side, jobs=jobs, trials=trials, **more)


def _more(side: Side, runs: Sequence[Run], trials: int) -> dict[str, str]:
    done = [each for each in runs if each.answer]
    if not done:
        return {"keeps": side.keeps}
    cpu = statistics.median(each.cpu for each in done) / trials * 1000
    peak = statistics.median(each.peak for each in done) / 1e6
    return {"CPU ms a trial": f"{cpu:.2f}", "memory MB": f"{peak:.0f}", "keeps": side.keeps}


def measure_size(scale: Scale) -> Iterator[Item]:
    """Item 7: bytes of two runs, of which one is larger; the difference is what trials take."""
    sides = [side for side in SIDES if side.keeps != NOTHING and scale.wants(side.name)]
    rounds = Rounds(side.name for side in sides)
    empty: dict[str, dict[str, str]] = {}
    for _ in range(scale.rounds(1)):
        for side in sides:
            many = max(min(_trials(side, scale), 2_000), 40)
            small, large = (run(side, 1, trials) for trials in (many // 4, many))
            each = _bytes_a_trial(small, large, many - many // 4)
            rounds.add(side.name, None if each is None else each * 10_000 / 1e6, small.failure or large.failure)
            if each is not None:
                before = max(float(str(small.answer["bytes"])) - each * (many // 4), 0)
                empty[side.name] = {"before the first trial, MB": f"{before / 1e6:.2f}"}
            comparison = Comparison(
                "10,000 trials", "MB on disk", higher_is_better=False, values=rounds.values, missing=rounds.missing,
                more=dict(empty),
            )  # fmt: skip
            yield Item("size", "Size of the store", SIZE_TEXT, [comparison])


def _bytes_a_trial(small: Run, large: Run, trials: int) -> float | None:
    few, many = small.answer.get("bytes"), large.answer.get("bytes")
    return None if few is None or many is None else (float(str(many)) - float(str(few))) / trials

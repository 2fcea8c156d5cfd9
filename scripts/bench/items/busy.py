"""Item 2: workers kept busy. Every side sleeps, in a process of its own, and ends itself at its limit of time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from items.rounds import Rounds
from items.scale import Scale
from ratios import Comparison, Item
from turns import Run, ask

BASE = "ours, random"
RAY_MOST = 8


@dataclass(frozen=True)
class Side:
    """Whose file is asked for what; `keeps` says whether trials are there afterwards."""

    name: str
    peer: str
    file: str
    request: Mapping[str, object] = field(default_factory=dict)
    keeps: bool = True


def _ours(sampler: str, window: int | str | None = None) -> Side:
    of = "auto" if sampler == "auto" else "optuna"
    size = "" if window is None else f", {window}x" if isinstance(window, int) else f", {window}"
    request = {"engine": of, "sampler": sampler, "window": window}
    return Side(f"ours, {sampler}{size}", "ours", "ours", request)


def _optuna(sampler: str, storage: str, *, mlflow: bool = False) -> Side:
    name = f"Optuna {sampler}, {'in memory' if storage == 'memory' else storage}{' + MLflowCallback' if mlflow else ''}"
    request = {"side": storage, "sampler": sampler, "mlflow": mlflow}
    return Side(name, "optuna", "optuna", request, keeps=storage != "memory" or mlflow)


SIDES = (
    _ours("random"),
    Side("joblib's threads alone", "optuna", "sklearn", keeps=False),
    _optuna("random", "memory"),
    _optuna("random", "journal"),
    _optuna("random", "sqlite"),
    _optuna("random", "journal", mlflow=True),
    Side("Ray Tune + MLflow", "ray", "ray", {"side": "mlflow"}),
    _ours("auto"),
    _ours("tpe"),
    _ours("auto", "free"),
    _ours("tpe", "free"),
    _optuna("tpe", "journal"),
)
MORE = (
    _ours("random", 4), _ours("random", "free"), _ours("auto", 8), _ours("auto", 16), _ours("tpe", 16),
    _optuna("random", "sqlite", mlflow=True), _optuna("tpe", "sqlite"), _optuna("tpe", "journal", mlflow=True),
)  # fmt: skip
"""Measured where `--sides` names them."""
TEXT = (
    "Threads that sleep, log-normal, {mean:g} s in the mean (sigma 0.7), drawn by the trial's number, {each} trials "
    "for each worker: the share of the time in which workers had a trial, until the last one started. Of ours all is "
    "tracked, durably, with the default window, by which a search repeats trial for trial, or the one that is named "
    "(`free`: learn from whatever has ended, as Optuna does). A side that is not done after {limit:.0f} s is ended, "
    "its share is that until then. hyperopt is left out: it runs one trial at a time; so is W&B, which runs no sweep "
    "without a server."
)


def measure(scale: Scale) -> Iterator[Item]:
    sizes = scale.sizes or ([8] if scale.quick else [8, 64, 512] if scale.full else [64])
    each, mean, limit = scale.pick(3, 12), 0.2 if scale.quick else 1.0, scale.limit or scale.pick(20, 60)
    text = TEXT.format(mean=mean, each=each, limit=limit)
    made: list[Comparison] = []
    for workers in sizes:
        comparison = None
        for comparison in _compare(scale, workers, trials=each * workers, mean=mean, limit=limit):
            yield Item("busy", "Keeping workers busy", text, [*made, comparison])
        made += [comparison] if comparison else []


def _compare(scale: Scale, workers: int, *, trials: int, mean: float, limit: float) -> Iterator[Comparison]:
    sides = [side for side in (*SIDES, *(MORE if scale.sides else ())) if scale.wants(side.name)]
    rounds = Rounds(side.name for side in sides)
    more: dict[str, dict[str, str]] = {}
    for _ in range(scale.rounds(1 if scale.full else 3)):
        for side in sides:
            if side.file == "ray" and workers > RAY_MOST:
                rounds.add(
                    side.name, None, f"left out: each worker is a process, {RAY_MOST} are what this is tried with"
                )
                continue
            run = ask(
                side.peer, side.file, "busy", limit=limit, hard=limit + (240 if side.file == "ray" else 90),
                jobs=workers, trials=trials, mean=mean, **side.request,
            )  # fmt: skip
            rounds.add(side.name, 100 * float(str(run.answer["busy"])) if run.answer else None, run.failure)
            more[side.name] = _more(run, trials)
            yield Comparison(
                f"{workers} workers", "% busy", higher_is_better=True, values=rounds.values, base=BASE,
                limits=[each.name for each in sides if not each.keeps], missing=rounds.missing, more=dict(more),
            )  # fmt: skip


def _more(run: Run, trials: int) -> dict[str, str]:
    """Of the last round."""
    if not run.answer:
        return {}
    found = {key: float(str(value)) for key, value in run.answer.items() if value is not None}
    return {
        "trials/s": f"{found['rate']:.0f}",
        "a worker waits, ms": f"{found['gap_ms']:.1f}" if "gap_ms" in found else "-",
        "CPU ms a trial": f"{found['cpu_ms']:.2f}",
        "memory MB": f"{found['bytes'] / 1e6:.0f}",
        "trials": f"{found.get('stopped', trials):,.0f} of {trials:,}",
    }

"""A store full of made-up trials: for pictures of the page, for tests of it, and to measure it.

Usage: python scripts/seeded_store.py URI [TRIALS]
"""

import hashlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

from hpo.config.conversion import config_hash
from hpo.config.reading import read_sweep_text
from hpo.progress import Progress
from hpo.recorded_config import recorded
from hpo.trial import State
from trackers.opening import Store, open_store
from trackers.records import (
    Artifact,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
    Value,
)

START = 1_790_000_000_000
SLOTS = 4
HOSTILE = "<img src=x onerror=\"document.title='taken'\">\x1b[31m</script><script>document.title='taken'</script>"
"""A text that must stay a text."""
SWEEP = """
version: 1
name: {name}
{metrics}
objective: {{python: "examples:objective"}}
parameters:
  model: {{choices: {models}}}
  learning_rate: {{type: float, low: 1.0e-5, high: 0.1, log: true}}
  C: {{type: float, low: 1.0e-3, high: 1000.0, log: true, when: {{model: svc}}}}
  max_depth: {{type: int, low: 2, high: 16, when: {{model: [forest, boosting]}}}}
  dropout: {{type: float, low: 0.0, high: 0.6}}
  batch_size: [16, 32, 64, 128]
engine: {{name: optuna, sampler: {sampler}, seed: {seed}}}
pruner: {{name: median}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: 4}}
"""
FAILURES = (
    ("exception", "ValueError: the loss is not finite at step 3"),
    ("timeout", "it ran longer than 30 s"),
    ("signal:9", "killed by signal 9 (maybe out of memory)"),
)


def seed_sweep(
    store: Store,
    name: str,
    trials: int,
    *,
    seed: int = 0,
    several: bool = False,
    sampler: str = "tpe",
    hostile: bool = False,
    curves: bool = False,
    ended: bool = True,
) -> str:
    """Writes a sweep with so many trials; its run id."""
    config = _config(name, trials, seed, several=several, sampler=sampler, hostile=hostile)
    run_id = hashlib.md5(f"{name} {seed}".encode(), usedforsecurity=False).hexdigest()
    store.tracker.experiment(name)
    facts = SweepFacts(config[0], config[1], "loss", "minimize", seed, 8, trials)
    params = {"engine": "optuna", "sampler": sampler, "pruner": "median", "metric": "loss", "goal": "minimize"}
    note = {"mlflow.note.content": HOSTILE, HOSTILE[:40]: HOSTILE} if hostile else {}
    store.tracker.record([RunStarted(run_id, name, name, START, params=params, tags=note, sweep=facts)])
    changes: list[RunStarted | RunEnded] = []
    counts: Counter[State] = Counter()
    best = (math.inf, -1)
    for start, end in _trials(store, run_id, name, trials, seed=seed, several=several, hostile=hostile, curves=curves):
        changes += [start, end]
        if end.trial is not None:
            counts[State(end.trial.state)] += 1
            best = min(best, (math.inf if end.trial.value is None else end.trial.value, end.trial.number))
        if len(changes) >= 2000:
            store.tracker.record(changes)
            changes = []
    store.tracker.record(changes)
    tags = _progress(counts, best, trials, several=several)
    last = START + trials * 250
    store.tracker.record(
        [RunEnded(run_id, Status.FINISHED, last, tags=tags) if ended else RunUpdated(run_id, tags=tags)]
    )
    return run_id


def _config(name: str, trials: int, seed: int, *, several: bool, sampler: str, hostile: bool) -> tuple[str, str]:
    one = "metric: {name: loss, goal: minimize}"
    two = "metrics: [{name: loss, goal: minimize}, {name: latency, goal: minimize}]"
    models = json.dumps(["svc", "forest", "boosting", *([HOSTILE] if hostile else [])])
    text = SWEEP.format(
        name=json.dumps("hostile" if hostile else name),
        trials=trials,
        seed=seed,
        sampler=sampler,
        metrics=two if several else one,
        models=models,
    )
    if several:
        text = text.replace("pruner: {name: median}\n", "")
    config = read_sweep_text(text, name)
    return recorded(config), config_hash(config)


def _progress(counts: Mapping[State, int], best: tuple[float, int], trials: int, *, several: bool) -> dict[str, str]:
    full = {state: counts.get(state, 0) for state in State}
    value, number = (None, None) if several else best
    progress = Progress(full, trials, value, number, seconds=trials * 0.25, front=1 if several else None)
    return {**progress.tags(), **({} if several else progress.best_tags())}


def _trials(
    store: Store, parent: str, name: str, trials: int, *, seed: int, several: bool, hostile: bool, curves: bool
) -> Iterator[tuple[RunStarted, RunEnded]]:
    draw = random.Random(seed)  # noqa: S311  # made-up trials
    free = [0.0] * SLOTS
    for number in range(trials):
        params = _params(draw, number, trials, hostile=hostile)
        loss = _loss(params, draw)
        seconds = draw.lognormvariate(-0.2, 0.6)
        slot = free.index(min(free))
        began = START + round(free[slot] * 1000)
        free[slot] += seconds + 0.02
        run_id = hashlib.md5(f"{parent} {number}".encode(), usedforsecurity=False).hexdigest()
        facts = TrialFacts(number, params, seed=number, seconds=seconds)
        started = RunStarted(
            run_id, f"trial-{number}", name, began, parent_id=parent, params=params, trial=replace(facts, seconds=None)
        )
        ended = _ended(store, started, facts, loss, draw, several=several, hostile=hostile, curves=curves)
        yield started, ended


def _params(draw: random.Random, number: int, trials: int, *, hostile: bool) -> dict[str, Value]:
    model = draw.choice(["svc", "forest", "forest", "boosting", *([HOSTILE] if hostile else [])])
    near = number > trials * 0.25 and draw.random() < 0.8  # as a sampler that learns
    rate = 10 ** min(-1.0, max(-5.0, draw.gauss(-2.6, 0.5))) if near else 10 ** draw.uniform(-5, -1)
    params: dict[str, Value] = {"model": model, "learning_rate": rate}
    if model == "svc":
        params["C"] = 10 ** draw.uniform(-3, 3)
    elif model != HOSTILE:
        params["max_depth"] = round(min(16, max(2, draw.gauss(9, 2.5)))) if near else draw.randint(2, 16)
    return {**params, "dropout": draw.uniform(0, 0.6), "batch_size": draw.choice([16, 32, 64, 128])}


def _loss(params: Mapping[str, Value], draw: random.Random) -> float:
    rate, depth, dropout = (float(params.get(key) or 9) for key in ("learning_rate", "max_depth", "dropout"))
    base = 0.08 + 0.06 * (math.log10(rate) + 2.7) ** 2 + 0.004 * abs(depth - 9) + 0.08 * abs(dropout - 0.2)
    base += 0.05 if params["model"] == "svc" else 0.0
    return base + abs(draw.gauss(0, 0.02)) + (5.0 if draw.random() < 0.003 else 0.0)


def _ended(
    store: Store,
    started: RunStarted,
    facts: TrialFacts,
    loss: float,
    draw: random.Random,
    *,
    several: bool,
    hostile: bool,
    curves: bool,
) -> RunEnded:
    fate = draw.random()
    state = "FAILED" if fate < 0.04 else "PRUNED" if fate < 0.12 and not several else "COMPLETE"
    ended = started.started + round((facts.seconds or 0) * 1000)
    points: list[Point] = []
    if curves:
        steps = 20 if state == "COMPLETE" else draw.randint(2, 8)
        points += [
            Point("loss", loss + 0.6 * math.exp(-step / 4) + draw.gauss(0, 0.004), step) for step in range(steps)
        ]
    if state == "COMPLETE":
        points += [Point("loss", loss, 20), Point("accuracy", 1 - loss / 2, 20)]
        if several:
            points.append(Point("latency", 0.05 + 0.01 / (loss - 0.05) + draw.random() * 0.05, 20))
        trial = replace(facts, state=state, value=loss)
    elif state == "PRUNED":
        trial = replace(facts, state=state, reason="median at step 5")
    else:
        reason, error = draw.choice(FAILURES)
        text = HOSTILE if hostile else error
        trace = f'Traceback (most recent call last):\n  File "train.py", line 31, in objective\n{text}\n'
        trial = replace(facts, state=state, reason=reason, error=text, traceback=trace)
    files = _log(store, started, hostile=hostile) if state == "FAILED" or facts.number == 0 else []
    return RunEnded(
        started.run_id, {"COMPLETE": Status.FINISHED, "PRUNED": Status.KILLED}.get(state, Status.FAILED), ended,
        points=points, artifacts=files, trial=trial,
    )  # fmt: skip


def _log(store: Store, started: RunStarted, *, hostile: bool) -> list[Artifact]:
    lines = [f"epoch {epoch}: loss {1 / (epoch + 1):.4f}" for epoch in range(12)]
    text = "\n".join([*lines, HOSTILE if hostile else "stopped"]) + "\n"
    root = Path(unquote(urlparse(store.artifacts).path))
    place = root / store.tracker.experiment(started.experiment) / started.run_id / "artifacts" / "logs" / "output.log"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return [Artifact("logs/output.log", len(text.encode()), hashlib.sha256(text.encode()).hexdigest())]


def main(uri: str, trials: int) -> None:
    """Seeds the sweeps that the pictures show."""
    with open_store(uri) as store:
        seed_sweep(store, "digits", trials, seed=3, curves=trials <= 2000)
        seed_sweep(store, "digits-random", trials, seed=4, sampler="random", curves=trials <= 2000)
        seed_sweep(store, "trade-off", min(trials, 300), seed=5, several=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 240)

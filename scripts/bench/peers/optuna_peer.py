"""Optuna as its documentation says: a study in memory, on SQLite, in a journal file, and with its MLflow callback.

With two workers: threads where the study lives in memory (n_jobs=2), else two processes on one storage.
"""

import contextlib
import math
import random
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import sleeping
from asked import LETTERS, Growth, Request, answer, first_trial, on_disk, steady, timed


def suggest(trial: object, times: list[float] | None = None) -> float:
    a = trial.suggest_float("a", 0, 1)
    b = trial.suggest_float("b", 1e-5, 1, log=True)
    trial.set_user_attr("other", trial.suggest_int("c", 1, 100) * 2.0)  # where a study has room for a second number
    trial.suggest_categorical("d", LETTERS)
    trial.suggest_categorical("e", [True, False])
    return a + b


def storage(side: str, uri: str = "") -> object:
    """`uri` in the place of the SQLite file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if side == "journal":
        return JournalStorage(JournalFileBackend("journal.log"))
    return (uri or "sqlite:///optuna.db") if side == "sqlite" else None


def sampler(name: str, seed: int) -> object:
    import optuna

    return optuna.samplers.TPESampler(seed=seed) if name == "tpe" else optuna.samplers.RandomSampler(seed=seed)


def mlflow_callback(uri: str = "sqlite:///mlflow.db") -> object:
    import mlflow
    from optuna_integration.mlflow import MLflowCallback

    mlflow.set_tracking_uri(uri)
    known = mlflow.get_experiment_by_name("overhead")
    made = known.experiment_id if known else mlflow.create_experiment("overhead", f"{Path.cwd()}/mlruns")
    mlflow.set_experiment(experiment_id=made)
    return MLflowCallback(tracking_uri=uri, metric_name="loss", create_experiment=False, mlflow_kwargs={"nested": True})


def worker(side: str, uri: str, trials: int, seed: int) -> list[float]:
    """One of two processes that share a study."""
    import optuna

    study = optuna.load_study(study_name="overhead", storage=storage(side, uri), sampler=sampler("random", seed))
    times: list[float] = []
    study.optimize(suggest, n_trials=trials, callbacks=[lambda study, trial: times.append(time.perf_counter())])
    return times


def overhead(request: Request) -> dict[str, object]:
    import optuna

    side, trials, jobs, uri = request["side"], request["trials"], request["jobs"], request.get("uri", "")
    kept = storage(side, uri)
    study = optuna.create_study(study_name="overhead", storage=kept, sampler=sampler("random", request["seed"]))
    times: list[float] = []
    if jobs > 1 and kept is not None:
        with ProcessPoolExecutor(jobs) as pool:
            for found in pool.map(partial(worker, side, uri, trials // jobs), range(jobs)):
                times += found
    else:
        callbacks = [mlflow_callback(uri or "sqlite:///mlflow.db")] if side == "mlflow" else []
        ended = lambda study, trial: times.append(time.perf_counter())  # noqa: E731
        study.optimize(suggest, n_trials=trials, n_jobs=jobs, callbacks=[*callbacks, ended])
    return {**steady(times), "bytes": on_disk(Path())}


def growth(request: Request) -> dict[str, object]:
    import optuna

    noted = Growth(request["trials"])

    def value(trial: object) -> float:
        x = trial.suggest_float("x", -5, 5)
        rate = trial.suggest_float("rate", 1e-5, 1, log=True)
        kind = trial.suggest_categorical("kind", ["a", "b", "c"])
        depth = trial.suggest_int("depth", 1, 32)
        waves = math.sin(3 * x) + (math.log10(rate) + 3) ** 2
        return waves + (x - 1) ** 2 / 5 + {"a": 0, "b": 0.5, "c": 1}[kind] + depth / 32

    study = optuna.create_study(storage=storage(request["side"]), sampler=sampler(request["sampler"], request["seed"]))
    study.optimize(
        value, n_trials=request["trials"], timeout=request["limit"], callbacks=[lambda study, trial: noted.tick()]
    )
    return noted.answer()


def busy(request: Request) -> dict[str, object]:
    """Threads, whatever the storage."""
    import optuna

    sleeping.start(request)
    study = optuna.create_study(storage=storage(request["side"]), sampler=sampler(request["sampler"], request["seed"]))

    def objective(trial: object) -> float:
        value = suggest(trial)
        sleeping.slept(trial.number)
        return value

    callbacks = [mlflow_callback()] if request["mlflow"] else []
    study.optimize(objective, n_trials=request["trials"], n_jobs=request["jobs"], callbacks=callbacks)
    return sleeping.finished(request)


def fill(request: Request) -> dict[str, object]:
    """A study of many trials, written past Optuna into the tables it made: by itself it would take hours."""
    import optuna

    study = optuna.create_study(study_name="asked", storage=storage("sqlite"))
    study.enqueue_trial({"x": 0.5, "depth": 3})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) * trial.suggest_int("depth", 1, 9), n_trials=1)
    rng = random.Random(1)
    with contextlib.closing(sqlite3.connect("optuna.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        kinds = dict(connection.execute("SELECT param_name, distribution_json FROM trial_params"))
        for first in range(2, request["trials"] + 1, 20_000):
            rows = [
                (at, rng.random(), rng.randint(1, 9), rng.random())
                for at in range(first, min(first + 20_000, request["trials"] + 1))
            ]
            connection.executemany(
                "INSERT INTO trials VALUES (?, ?, 1, 'COMPLETE', '2026-01-01 00:00:00', '2026-01-01 00:00:01')",
                [(row[0], row[0] - 1) for row in rows],
            )
            connection.executemany(
                "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
                [(row[0], name, row[at], kinds[name]) for row in rows for at, name in ((1, "x"), (2, "depth"))],
            )
            connection.executemany(
                "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')",
                [(row[0], row[3]) for row in rows],
            )
            connection.commit()
    return {}


def ask(request: Request) -> dict[str, object]:
    import optuna
    from optuna.trial import TrialState

    opened = time.perf_counter()
    study = optuna.load_study(study_name="asked", storage=storage("sqlite"))
    if request["side"] == "dataframe":
        questions = {
            "best": lambda: study.trials_dataframe().nsmallest(10, "value")["value"].tolist(),
            "list": lambda: len(study.trials_dataframe().tail(100)),
            "filter": lambda: len(study.trials_dataframe().query("params_depth >= 8 and value < 0.5").head(100)),
        }
    else:
        complete = (TrialState.COMPLETE,)
        questions = {
            "best": lambda: sorted(t.value for t in study.get_trials(deepcopy=False, states=complete))[:10],
            "list": lambda: len(study.get_trials(deepcopy=False)[-100:]),
            "filter": lambda: len(
                [t for t in study.get_trials(deepcopy=False) if t.params["depth"] >= 8 and t.value < 0.5][:100]
            ),
        }
    return timed(questions[request["question"]], opened=opened, repeat=request["repeat"], limit=request["limit"])


def first(request: Request) -> dict[str, object]:
    """The usual script: import, study, first trial."""
    import optuna

    def objective(trial: object) -> float:
        first_trial()
        return suggest(trial)

    side = request["side"]
    study = optuna.create_study(storage=storage(side))
    study.optimize(objective, n_trials=2, callbacks=[mlflow_callback()] if side == "mlflow" else [])
    return {}


if __name__ == "__main__":
    answer({"overhead": overhead, "busy": busy, "growth": growth, "fill": fill, "ask": ask, "first": first})

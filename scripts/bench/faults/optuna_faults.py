"""What optuna does when things go wrong."""

from collections import Counter
from pathlib import Path

import common
import optuna

optuna.logging.set_verbosity(optuna.logging.CRITICAL)
STUDY = """
import optuna, pathlib, time
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
study = optuna.create_study(storage="sqlite:///s.db", study_name="s", load_if_exists=True, sampler={sampler})
def objective(trial):
    x = trial.suggest_{suggest}
    {body}
    return x * x
study.optimize(objective, n_trials={n})
"""


def states(folder: Path) -> str:
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/s.db")
    return ", ".join(f"{count} {state}" for state, count in Counter(t.state.name for t in study.trials).items())


def kill9(folder: Path) -> str:
    body = "pathlib.Path('held').touch() if trial.number == 2 else None; time.sleep(600) if trial.number == 2 else None"
    code = STUDY.format(sampler="None", suggest="float('x', 0, 1)", body=body, n=6)
    common.killed_at(code, folder, "held")
    before = states(folder)
    common.child(code.replace("trial.number == 2", "False"), folder).wait()
    return f"after SIGKILL: {before}; after the same command again with n_trials=6: {states(folder)}"


def odd_results(folder: Path) -> str:
    seen = []
    for name, value in {
        "nan": float("nan"), "-inf": float("-inf"), "'0.5'": "0.5", "None": None, "10**400": 10**400, "True": True,
    }.items():  # fmt: skip
        study = optuna.create_study(storage=f"sqlite:///{folder}/odd.db", study_name=name)
        raised = common.error_of(lambda study=study, value=value: study.optimize(lambda _: value, n_trials=1))
        trial = study.trials[0]
        best = common.error_of(lambda study=study: study.best_value)
        seen.append(f"{name}: {trial.state.name}{'' if raised == 'None' else ' ' + raised}, best {best}")
    return "; ".join(seen)


def dying_trial(folder: Path) -> str:
    code = STUDY.format(
        sampler="None", suggest="float('x', 0, 1)", body="import os; os._exit(0) if trial.number == 2 else None", n=6
    )
    process = common.child(code, folder)
    process.wait()
    return f"os._exit(0) in trial 2: the study ends with exit {process.returncode}; {states(folder)}"


def two_drivers(folder: Path) -> str:
    body = """
    while len(list(pathlib.Path().glob("ready-*"))) < 3:
        pathlib.Path(f"ready-{__import__('os').getpid()}").touch()
        time.sleep(0.01)
    time.sleep(0.05)"""
    sampler = "optuna.samplers.GridSampler({'x': list(range(12))})"
    optuna.create_study(storage=f"sqlite:///{folder}/s.db", study_name="s")
    code = STUDY.format(sampler=sampler, suggest="int('x', 0, 11)", body=body, n=12)
    drivers = [common.child(code, folder) for _ in range(3)]
    for driver in drivers:
        driver.wait()
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{folder}/s.db")
    points = Counter(trial.params.get("x") for trial in study.trials)
    twice = sum(count > 1 for count in points.values())
    return f"3 drivers on a grid of 12: {len(study.trials)} trials, {12 - len(points)} points never run, {twice} twice"


if __name__ == "__main__":
    common.run(
        {
            "kill -9 of the driver": kill9,
            "NaN, inf and non-numbers": odd_results,
            "a trial that ends its process": dying_trial,
            "several drivers on one sweep": two_drivers,
        }
    )

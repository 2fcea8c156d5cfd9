"""What hyperopt does when things go wrong."""

import logging
import pickle
import random
import time
from pathlib import Path

import common
import numpy
from hyperopt import Trials, fmin, hp, rand

logging.getLogger("hyperopt").setLevel(logging.CRITICAL)
SEARCH = """
import hyperopt, pathlib, os
from hyperopt import fmin, hp, rand
def objective(x):
    {body}
    with open("ledger", "a") as ledger:
        ledger.write("done\\n")
    return x * x
fmin(objective, hp.uniform("x", 0, 1), algo=rand.suggest, max_evals={n}, trials_save_file="trials.pkl",
     show_progressbar=False, verbose=False)
"""


def save_file_after_kill(folder: Path) -> str:
    draw, unreadable, lost = random.Random(1), 0, 0
    for number in range(8):
        place = folder / str(number)
        place.mkdir()
        process = common.child(SEARCH.format(body="pass", n=100_000), place)
        while not (place / "trials.pkl").exists():
            time.sleep(0.01)
        time.sleep(3 + draw.random())
        process.kill()
        process.wait()
        done = (place / "ledger").read_text().count("\n")
        try:
            with (place / "trials.pkl").open("rb") as file:
                saved = pickle.load(file)
            lost += done - len(saved.trials)
        except Exception:
            unreadable += 1
    return f"save file after SIGKILL: unreadable in {unreadable} of 8 tries, {lost} finished trials lost in the others"


def odd_results(_: Path) -> str:
    seen = []
    for name, value in {"nan": float("nan"), "-inf": float("-inf"), "'0.5'": "0.5", "None": None}.items():
        trials = Trials()
        raised = common.error_of(
            lambda value=value, trials=trials: fmin(
                lambda _: value, hp.uniform("x", 0, 1), algo=rand.suggest, max_evals=2, trials=trials,
                rstate=numpy.random.default_rng(1), show_progressbar=False, verbose=False,
            )
        )  # fmt: skip
        seen.append(f"{name}: {raised}, statuses {trials.statuses()}")
    return "; ".join(seen)


def one_exception(_: Path) -> str:
    calls = []

    def third_raises(x: float) -> float:
        calls.append(x)
        if len(calls) == 3:
            raise ValueError("third")
        return x

    raised = common.error_of(
        lambda: fmin(
            third_raises, hp.uniform("x", 0, 1), algo=rand.suggest, max_evals=6,
            rstate=numpy.random.default_rng(1), show_progressbar=False, verbose=False,
        )
    )  # fmt: skip
    return f"one exception in trial 2 of 6: {raised}; {len(calls)} of 6 trials were run"


def dying_trial(folder: Path) -> str:
    body = "pathlib.Path('ledger').exists() and open('ledger').read().count('done') == 2 and os._exit(0)"
    process = common.child(SEARCH.format(body=body, n=6), folder)
    process.wait()
    done = (folder / "ledger").read_text().count("\n")
    return f"os._exit(0) in trial 2: the search ends with exit {process.returncode}; {done} of 6 trials were run"


if __name__ == "__main__":
    common.run(
        {
            "kill -9 of the driver": save_file_after_kill,
            "NaN, inf and non-numbers": odd_results,
            "an exception": one_exception,
            "a trial that ends its process": dying_trial,
        }
    )

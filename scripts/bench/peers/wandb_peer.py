"""Weights & Biases without a server: an offline run for each trial, parameters from its own search package `sweeps`.

`wandb.sweep` and the local controller ask a server and end with "No API key configured", so what they would do is done
here: the next parameters from sweeps.next_run, one wandb.init .. finish a trial. With two workers, two processes.
"""

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true")
from asked import LETTERS, Request, answer, first_trial, on_disk, steady

SWEEP = {
    "method": "random",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {
        "a": {"min": 0.0, "max": 1.0},
        "b": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1.0},
        "c": {"min": 1, "max": 100},
        "d": {"values": LETTERS},
        "e": {"values": [True, False]},
    },
}


def agent(trials: int, seed: int) -> list[float]:
    import numpy
    import sweeps
    import wandb

    random.seed(seed)
    numpy.random.seed(seed)
    settings = wandb.Settings(console="off", x_disable_stats=True, x_disable_machine_info=True)
    times: list[float] = []
    for _ in range(trials):
        drawn = {name: found["value"] for name, found in sweeps.next_run(SWEEP, []).config.items()}
        with wandb.init(project="overhead", group="sweep", config=drawn, settings=settings) as run:
            first_trial()
            run.log({"loss": drawn["a"] + drawn["b"], "other": drawn["c"] * 2.0})
        times.append(time.perf_counter())
    return times


def overhead(request: Request) -> dict[str, object]:
    jobs, trials = request["jobs"], request["trials"]
    if jobs == 1:
        times = agent(trials, request["seed"])
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            times = [at for found in pool.map(partial(agent, trials // jobs), range(jobs)) for at in found]
    return {**steady(times), "bytes": on_disk(Path())}


def controller(request: Request) -> dict[str, object]:
    """What W&B's own ways to run a sweep say without a server."""
    import wandb

    said = {}
    for name, start in (("wandb.sweep", lambda: wandb.sweep(SWEEP, project="p")), ("wandb.controller", _controller)):
        try:
            start()
            said[name] = "works"
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
    return {"said": said}


def _controller() -> None:
    import wandb

    made = wandb.controller()
    made.configure(SWEEP)
    made.create()


if __name__ == "__main__":
    answer({"overhead": overhead, "first": overhead, "controller": controller})

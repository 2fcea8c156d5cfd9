"""What pruning saves on a network for the digits: `quality.py --part asha`.

scikit-learn's MLPClassifier, trained by `partial_fit` for 27 epochs on 1,347 digits, judged on 450 others after each.
The same 60 trials of random search are run whole and pruned by our `asha` (under a window of 4), over several seeds.
Compute is counted in epochs, and quality is the error of the best trial that ran to its end.
"""

import argparse
import json
import math
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from hpo.pruners.names import make_pruner
from hpo.samplers.names import make_sampler
from hpo.space import Choice, FloatRange, IntRange, Parameter, Params, Space
from hpo.trial import Goal, Result, State, Trial, derive_seed

EPOCHS, TRIALS, WINDOW = 27, 60, 4
SPACE = Space(
    (
        Parameter("rate", FloatRange(1e-5, 0.3, log=True)),
        Parameter("alpha", FloatRange(1e-7, 10, log=True)),
        Parameter("units", IntRange(4, 128, log=True)),
        Parameter("batch", IntRange(16, 512, log=True)),
        Parameter("activation", Choice(("relu", "tanh", "logistic"))),
        Parameter("momentum", FloatRange(0.0, 0.99)),
    )
)
OPTIONS = {"min_resource": 1, "reduction_factor": 3}


def errors(params: Params, seed: int) -> Iterator[float]:
    """The share of digits that are told wrongly after each epoch."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    learn, judge = order[:1347], order[1347:]
    network = MLPClassifier(
        (int(params["units"]),), activation=params["activation"], solver="sgd", alpha=params["alpha"],  # type: ignore[arg-type]
        batch_size=int(params["batch"]), learning_rate_init=params["rate"], momentum=params["momentum"],  # type: ignore[arg-type]
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(EPOCHS):
            try:
                network.partial_fit(x[learn] / 16, y[learn], classes=range(10))
                yield float((network.predict(x[judge] / 16) != y[judge]).mean())
            except ValueError:  # weights that are infinite
                yield 1.0


def curves(seed: int) -> list[list[float]]:
    """The whole curves of the trials of one random search: what pruning would have cut short."""
    points = make_sampler(
        "optuna", "random", SPACE, seed=seed, goal=Goal.MINIMIZE, window=WINDOW, options={}
    ).ask(range(TRIALS))  # fmt: skip
    return [list(errors(point, derive_seed(seed, number))) for number, point in enumerate(points)]


def pruned(whole: list[list[float]], seed: int) -> tuple[int, float]:
    """Epochs run, and the best error of a complete trial, where `asha` judges after each epoch."""
    pruner = make_pruner("asha", goal=Goal.MINIMIZE, seed=seed, window=WINDOW, options=OPTIONS)
    told: list[tuple[Trial, Result]] = []
    epochs, best = 0, math.inf
    for number, curve in enumerate(whole):
        if number >= WINDOW:
            pruner.tell(*told[number - WINDOW])
        trial, seen, stopped = Trial(number, {}, seed=0), {}, False
        for step, value in enumerate(curve, start=1):
            seen[step] = value
            stopped = step < EPOCHS and pruner.should_prune(trial, dict(seen))
            if stopped:
                break
        epochs += len(seen)
        state = State.PRUNED if stopped else State.COMPLETE
        best = min(best, math.inf if stopped else curve[-1])
        told.append((trial, Result(state, None if stopped else curve[-1], curve=dict(seen))))
    return epochs, best


def row(seed: int) -> dict[str, object]:
    whole = curves(seed)
    epochs, best = pruned(whole, seed)
    return {
        "part": "asha", "seed": seed, "whole_epochs": TRIALS * EPOCHS, "whole_best": min(curve[-1] for curve in whole),
        "pruned_epochs": epochs, "pruned_best": best,
    }  # fmt: skip


def measure(arguments: argparse.Namespace) -> None:
    with ProcessPoolExecutor(arguments.jobs) as pool, arguments.out.open("a") as out:
        rows = []
        for found in pool.map(row, range(arguments.seeds)):
            out.write(json.dumps(found) + "\n")
            out.flush()
            rows.append(found)
    print(f"\n{TRIALS} trials of random search, {EPOCHS} epochs, {arguments.seeds} seeds\n")
    print("| | epochs | error of the best trial, mean | worst seed |\n|---|---|---|---|")
    for kind, name in (("whole", "without pruning"), ("pruned", "asha")):
        epochs, best = ([float(found[f"{kind}_{what}"]) for found in rows] for what in ("epochs", "best"))  # type: ignore[arg-type]
        print(f"| {name} | {np.mean(epochs):.0f} | {100 * np.mean(best):.2f} % | {100 * max(best):.2f} % |")
    share = np.mean([float(found["pruned_epochs"]) / float(found["whole_epochs"]) for found in rows])  # type: ignore[arg-type]
    same = sum(float(found["pruned_best"]) <= float(found["whole_best"]) for found in rows)  # type: ignore[arg-type]
    print(f"\ncompute: {100 * share:.0f} %; the very best trial was kept with {same} of {len(rows)} seeds")

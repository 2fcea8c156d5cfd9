"""scikit-learn's search classes with an estimator that does nothing, and bare joblib: the least a fit and a task cost.

One split, no refit, timed after a first search that starts the workers. Nothing is kept but cv_results_.
"""

import time

import sleeping
from asked import LETTERS, Request, answer, first_trial
from sklearn.base import BaseEstimator, ClassifierMixin


class Nothing(ClassifierMixin, BaseEstimator):
    def __init__(self, a: float = 0, b: float = 0, c: int = 1, d: str = "x", e: bool = True) -> None:
        self.a, self.b, self.c, self.d, self.e = a, b, c, d, e

    def fit(self, x: object, y: object) -> "Nothing":
        self.classes_ = [0, 1]
        if self.c == 0:
            first_trial()
        return self

    def score(self, x: object, y: object, sample_weight: object = None) -> float:
        return self.a + self.b


def value(a: float, b: float) -> float:
    return a + b


def joblib_alone(request: Request) -> dict[str, object]:
    import random

    from joblib import Parallel, delayed

    rng = random.Random(request["seed"])
    trials = request["trials"]
    with Parallel(n_jobs=request["jobs"]) as pool:

        def run(many: int) -> float:
            began = time.perf_counter()
            pool(delayed(value)(rng.random(), rng.random()) for _ in range(many))
            return time.perf_counter() - began

        run(max(trials // 10, 10))
        return {"rate": trials / run(trials)}


def busy(request: Request) -> dict[str, object]:
    """joblib's threads alone."""
    from joblib import Parallel, delayed

    sleeping.start(request)
    Parallel(n_jobs=request["jobs"], backend="threading", batch_size=1)(
        delayed(sleeping.slept)(number) for number in range(request["trials"])
    )
    return sleeping.finished(request)


def bare_loop(request: Request) -> dict[str, object]:
    import random

    rng, trials = random.Random(request["seed"]), request["trials"]
    began = time.perf_counter()
    for _ in range(trials):
        value(rng.random(), 10 ** rng.uniform(-5, 0))
        rng.randint(1, 100), rng.choice(LETTERS), rng.choice((True, False))
    return {"rate": trials / (time.perf_counter() - began)}


def search(side: str, candidates: int, jobs: int, seed: int, lowest: int = 1) -> object:
    from scipy.stats import loguniform, randint, uniform
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV, ShuffleSplit

    drawn = {
        "a": uniform(0, 1),
        "b": loguniform(1e-5, 1),
        "c": randint(lowest, 101 if lowest else 1),
        "d": LETTERS,
        "e": [True, False],
    }
    common = {"cv": ShuffleSplit(1, random_state=0), "refit": False, "n_jobs": jobs}
    if side == "grid":
        many = max(candidates // 6, 1)
        grid = {"a": [at / many for at in range(many)], "d": LETTERS, "e": [True, False]}
        return GridSearchCV(Nothing(), grid, **common)
    if side == "halving":
        return HalvingRandomSearchCV(
            Nothing(), drawn, n_candidates=candidates, min_resources=50, random_state=seed, **common
        )
    return RandomizedSearchCV(Nothing(), drawn, n_iter=candidates, random_state=seed, **common)


def overhead(request: Request) -> dict[str, object]:
    if request["side"] in ("joblib", "loop"):
        return (joblib_alone if request["side"] == "joblib" else bare_loop)(request)
    import numpy

    x, y = numpy.zeros((2000, 2)), numpy.arange(2000) % 2

    def run(candidates: int) -> float:
        began = time.perf_counter()
        found = search(request["side"], candidates, request["jobs"], request["seed"]).fit(x, y)
        return len(found.cv_results_["params"]) / (time.perf_counter() - began)

    run(10)
    return {"rate": run(request["trials"])}


def first(request: Request) -> dict[str, object]:
    import numpy

    search("random", 2, 1, 1, lowest=0).fit(numpy.zeros((100, 2)), numpy.arange(100) % 2)
    return {}


if __name__ == "__main__":
    answer({"overhead": overhead, "busy": busy, "first": first})

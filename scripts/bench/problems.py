"""The problems of quality.py: a space, a loss to minimise, and the best loss known.

Analytic ones have shifted optima where their own lie in the middle. The scikit-learn ones are real: every point of a
grid was fitted once (kept in files), and a trial looks its nearest point up, or between which it lies.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpo.space import Choice, FloatRange, IntRange, Parameter, Params, Space

Loss = Callable[[Params], float]


@dataclass(frozen=True)
class Problem:
    name: str
    space: Space
    loss: Loss
    best: float


def _floats(low: float, high: float, count: int) -> tuple[Parameter, ...]:
    return tuple(Parameter(f"x{at}", FloatRange(low, high)) for at in range(count))


def _vector(params: Params, count: int) -> np.ndarray:
    return np.array([float(params[f"x{at}"]) for at in range(count)])


def branin(_: Path) -> Problem:
    def loss(params: Params) -> float:
        x, y = float(params["x"]), float(params["y"])
        bend = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
        return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10

    space = Space((Parameter("x", FloatRange(-5, 10)), Parameter("y", FloatRange(0, 15))))
    return Problem("branin", space, loss, 0.39788735772973816)


_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(_: Path) -> Problem:
    def loss(params: Params) -> float:
        x = _vector(params, 6)
        return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(_A * (x - _P) ** 2).sum(1)))

    return Problem("hartmann6", Space(_floats(0, 1, 6)), loss, -3.32236801141551)


def ackley(_: Path) -> Problem:
    shift = np.array([7.1, -11.3, 3.7, -5.9, 13.3])

    def loss(params: Params) -> float:
        x = _vector(params, 5) - shift
        waves = math.exp(float(np.cos(2 * math.pi * x).mean()))
        return -20 * math.exp(-0.2 * math.sqrt(float((x * x).mean()))) - waves + 20 + math.e

    return Problem("ackley5", Space(_floats(-32, 32, 5)), loss, 0.0)


def rosenbrock(_: Path) -> Problem:
    """Two real numbers, two whole ones."""
    space = Space((*_floats(-2, 2, 2), Parameter("x2", IntRange(-5, 5)), Parameter("x3", IntRange(-5, 5))))

    def loss(params: Params) -> float:
        x = _vector(params, 4)
        return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

    return Problem("rosenbrock-int", space, loss, 0.0)


def conditional(_: Path) -> Problem:
    """Three kinds of model with their own parameters, and two they share."""
    space = Space(
        (
            Parameter("kind", Choice(("line", "tree", "net"))),
            Parameter("decay", FloatRange(1e-6, 1, log=True)),
            Parameter("size", IntRange(1, 64, log=True)),
            Parameter("slope", FloatRange(-3, 3), when={"kind": ("line",)}),
            Parameter("depth", IntRange(1, 16), when={"kind": ("tree",)}),
            Parameter("leaf", FloatRange(0, 1), when={"kind": ("tree",)}),
            Parameter("rate", FloatRange(1e-5, 1, log=True), when={"kind": ("net",)}),
            Parameter("mode", Choice(("plain", "momentum", "adaptive")), when={"kind": ("net",)}),
            Parameter("beta", FloatRange(0, 1), when={"mode": ("momentum",)}),
        )
    )

    def loss(params: Params) -> float:
        common = (
            0.15 * (math.log10(float(params["decay"])) + 3.2) ** 2 + 0.3 * (math.log(float(params["size"])) - 2) ** 2
        )
        if params["kind"] == "line":
            return 1.0 + common + 0.4 * (float(params["slope"]) - 1.3) ** 2
        if params["kind"] == "tree":
            depth, leaf = float(params["depth"]), float(params["leaf"])
            return 0.5 + common + 0.03 * (depth - 11) ** 2 + 2 * (leaf - 0.15) ** 2
        rate = math.log10(float(params["rate"]))
        if params["mode"] == "plain":
            return 0.8 + common + 0.5 * (rate + 1.1) ** 2
        if params["mode"] == "adaptive":
            return 0.3 + common + 0.5 * (rate + 2.9) ** 2
        return common + 0.6 * (rate + 2.1) ** 2 + 3 * (float(params["beta"]) - 0.85) ** 2

    return Problem("conditional", space, loss, _least(loss))


def _least(loss: Loss) -> float:
    sizes = [
        loss({"kind": "net", "decay": 10**-3.2, "size": size, "rate": 10**-2.1, "mode": "momentum", "beta": 0.85})
        for size in range(1, 65)
    ]
    return min(sizes)


def mixed(_: Path) -> Problem:
    """Three choices that turn and shift a bowl with waves, and three numbers."""
    space = Space(
        (
            Parameter("a", Choice(("p", "q", "r", "s", "t"))),
            Parameter("b", Choice((0, 1, 2, 3))),
            Parameter("c", Choice((True, False))),
            *_floats(-4, 4, 3),
        )
    )
    shifts = {"p": 2.2, "q": -1.0, "r": 0.7, "s": -2.6, "t": 3.1}
    floors = {"p": 1.4, "q": 0.9, "r": 0.0, "s": 0.5, "t": 2.0}

    def loss(params: Params) -> float:
        x, shift = _vector(params, 3), shifts[str(params["a"])]
        b = int(params["b"])  # type: ignore[arg-type]
        bowl = 0.3 * (x[0] - shift) ** 2 + 0.2 * (x[1] + 0.5 * x[0] - (b - 1.5)) ** 2
        tail = 0.5 * (x[2] - 1) ** 2 if params["c"] else 0.4 + 0.2 * abs(x[2] + 2)
        waves = 0.3 * float(np.sum(1 - np.cos(3 * (x - np.array([shift, (b - 1.5) - 0.5 * shift, 1.0])))))
        return floors[str(params["a"])] + 0.35 * (b - 2) ** 2 + float(bowl) + float(tail) + waves

    return Problem("mixed", space, loss, 0.0)


Table = dict[str, np.ndarray]


def _table(folder: Path, name: str, make: Callable[[], Table]) -> Table:
    path = folder / f"{name}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez_compressed(partial, **make())
        partial.replace(path)
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}


def _nearest(grid: Sequence[float], value: object) -> int:
    return int(np.argmin(np.abs(np.asarray(grid, dtype=float) - float(value))))  # type: ignore[arg-type]


def _place(exponents: np.ndarray, value: object) -> float:
    """Where on an even grid of exponents of ten a value lies."""
    at = (math.log10(float(value)) - exponents[0]) / (exponents[1] - exponents[0])  # type: ignore[arg-type]
    return min(max(at, 0.0), len(exponents) - 1.0)


def _between(values: np.ndarray, row: float, column: float) -> float:
    """Between the points of a grid in proportion; a plateau keeps its width, and a best point is hard to hit."""
    i, j = min(int(row), len(values) - 2), min(int(column), values.shape[1] - 2)
    u, v = row - i, column - j
    corners = values[i : i + 2, j : j + 2]
    return float(np.array([1 - u, u]) @ corners @ np.array([1 - v, v]))


_CS, _GAMMAS, _DEGREES = np.linspace(-2, 4, 19), np.linspace(-6, 1, 22), (2, 3, 4)


def svc(folder: Path) -> Problem:
    """SVC on 600 digits: the kernel, and what belongs to each; cross-entropy of the softmax of the decision values."""

    def make() -> Table:
        from scipy.special import softmax
        from sklearn.datasets import load_digits
        from sklearn.metrics import log_loss
        from sklearn.model_selection import cross_val_predict
        from sklearn.svm import SVC

        x, y = (part[:600] for part in load_digits(return_X_y=True))

        def error(**params: object) -> float:
            model = SVC(**params, max_iter=20_000)
            return float(log_loss(y, softmax(cross_val_predict(model, x / 16, y, cv=3, method="decision_function"), 1)))

        return {
            "rbf": np.array([[error(C=10**c, gamma=10**g) for g in _GAMMAS] for c in _CS]),
            "poly": np.array(
                [
                    [[error(C=10**c, gamma=10**g, kernel="poly", degree=d) for d in _DEGREES] for g in _GAMMAS]
                    for c in _CS
                ]
            ),
        }

    table = _quiet(lambda: _table(folder, "svc", make))
    space = Space(
        (
            Parameter("kernel", Choice(("rbf", "poly"))),
            Parameter("C", FloatRange(1e-2, 1e4, log=True)),
            Parameter("gamma", FloatRange(1e-6, 10, log=True)),
            Parameter("degree", IntRange(2, 4), when={"kernel": ("poly",)}),
        )
    )

    def loss(params: Params) -> float:
        kernel = str(params["kernel"])
        values = table[kernel] if kernel == "rbf" else table[kernel][:, :, int(params["degree"]) - 2]  # type: ignore[arg-type]
        return _between(values, _place(_CS, params["C"]), _place(_GAMMAS, params["gamma"]))

    return Problem("svc-digits", space, loss, float(min(table[kernel].min() for kernel in ("rbf", "poly"))))


_RATES, _DEPTHS, _SHARES, _LEAVES = np.linspace(-2.4, 0, 9), (1, 2, 3, 4, 5), (0.5, 1.0), (1, 4, 15, 60)
_TREES = range(10, 201, 10)


def boosting(folder: Path) -> Problem:
    """GradientBoosting on diabetes: the mean squared error over three folds."""

    def make() -> Table:
        from sklearn.datasets import load_diabetes
        from sklearn.ensemble import GradientBoostingRegressor
        from sklearn.model_selection import KFold

        x, y = load_diabetes(return_X_y=True)
        folds = list(KFold(3, shuffle=True, random_state=0).split(x))

        def errors(rate: float, depth: int, share: float, leaf: int) -> list[float]:
            model = GradientBoostingRegressor(
                learning_rate=10**rate, max_depth=depth, subsample=share, min_samples_leaf=leaf,
                n_estimators=_TREES[-1], random_state=0,
            )  # fmt: skip
            by_fold = []
            for learn, judge in folds:
                steps = list(model.fit(x[learn], y[learn]).staged_predict(x[judge]))
                by_fold.append([float(((steps[n - 1] - y[judge]) ** 2).mean()) for n in _TREES])
            return list(np.mean(by_fold, axis=0))

        shape = (len(_RATES), len(_DEPTHS), len(_SHARES), len(_LEAVES), len(_TREES))
        points = itertools.product(_RATES, _DEPTHS, _SHARES, _LEAVES)
        return {"errors": np.array([errors(*point) for point in points]).reshape(shape)}

    table = _table(folder, "boosting", make)["errors"]
    space = Space(
        (
            Parameter("rate", FloatRange(10**-2.4, 1, log=True)),
            Parameter("depth", IntRange(1, 5)),
            Parameter("share", FloatRange(0.5, 1.0, step=0.5)),
            Parameter("leaf", IntRange(1, 60, log=True)),
            Parameter("trees", IntRange(10, 200, step=10)),
        )
    )

    def loss(params: Params) -> float:
        rate = _nearest(_RATES, math.log10(float(params["rate"])))
        leaf = _nearest(np.log(_LEAVES), math.log(float(params["leaf"])))
        at = (rate, int(params["depth"]) - 1, _nearest(_SHARES, params["share"]), leaf, int(params["trees"]) // 10 - 1)  # type: ignore[arg-type]
        return float(table[at])

    return Problem("boosting-diabetes", space, loss, float(table.min()))


_PIPE_CS, _NEIGHBOURS, _FOREST_DEPTHS, _FEATURES = (
    np.linspace(-3, 3, 13),
    range(1, 41),
    range(1, 13),
    np.linspace(0.1, 1, 7),
)
_FOREST_LEAVES = (1, 2, 4, 8, 16)
_SCALERS = ("none", "standard", "minmax")
_PIPE_GAMMAS = np.linspace(-5, 1, 13)


def pipeline(folder: Path) -> Problem:
    """A pipeline on breast cancer: a scaler, one of four classifiers, and what belongs to each; 1 - ROC AUC."""

    def make() -> Table:
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
        from sklearn.svm import SVC

        x, y = load_breast_cancer(return_X_y=True)
        folds = StratifiedKFold(3, shuffle=True, random_state=0)
        scalers = {"none": None, "standard": StandardScaler(), "minmax": MinMaxScaler()}

        def lost(scaler: str, model: object) -> float:
            return 1 - float(
                cross_val_score(make_pipeline(scalers[scaler], model), x, y, cv=folds, scoring="roc_auc").mean()
            )

        def forest(depth: int, share: float, leaf: int) -> float:
            model = RandomForestClassifier(
                30, max_depth=depth, max_features=share, min_samples_leaf=leaf, random_state=0
            )
            return lost("none", model)

        return {
            "logistic": np.array(
                [[lost(s, LogisticRegression(C=10**c, max_iter=300)) for c in _PIPE_CS] for s in _SCALERS]
            ),
            "svc": np.array(
                [[[lost(s, SVC(C=10**c, gamma=10**g)) for g in _PIPE_GAMMAS] for c in _PIPE_CS] for s in _SCALERS]
            ),
            "knn": np.array(
                [
                    [
                        [lost(s, KNeighborsClassifier(k, weights=w)) for w in ("uniform", "distance")]
                        for k in _NEIGHBOURS
                    ]
                    for s in _SCALERS
                ]
            ),
            "forest": np.array(
                [[[forest(d, f, n) for n in _FOREST_LEAVES] for f in _FEATURES] for d in _FOREST_DEPTHS]
            ),
        }

    table = _quiet(lambda: _table(folder, "pipeline", make))
    space = Space(
        (
            Parameter("scaler", Choice(_SCALERS)),
            Parameter("clf", Choice(("logistic", "svc", "knn", "forest"))),
            Parameter("C", FloatRange(1e-3, 1e3, log=True), when={"clf": ("logistic", "svc")}),
            Parameter("gamma", FloatRange(1e-5, 10, log=True), when={"clf": ("svc",)}),
            Parameter("neighbours", IntRange(1, 40), when={"clf": ("knn",)}),
            Parameter("weights", Choice(("uniform", "distance")), when={"clf": ("knn",)}),
            Parameter("depth", IntRange(1, 12), when={"clf": ("forest",)}),
            Parameter("features", FloatRange(0.1, 1.0), when={"clf": ("forest",)}),
            Parameter("leaf", IntRange(1, 16, log=True), when={"clf": ("forest",)}),
        )
    )

    def loss(params: Params) -> float:
        kind, scaler = str(params["clf"]), _SCALERS.index(str(params["scaler"]))
        if kind == "forest":
            leaf = _nearest(np.log(_FOREST_LEAVES), math.log(float(params["leaf"])))
            return float(table[kind][int(params["depth"]) - 1, _nearest(_FEATURES, params["features"]), leaf])  # type: ignore[arg-type]
        if kind == "knn":
            return float(table[kind][scaler, int(params["neighbours"]) - 1, int(params["weights"] == "distance")])  # type: ignore[arg-type]
        c = _nearest(_PIPE_CS, math.log10(float(params["C"])))
        if kind == "logistic":
            return float(table[kind][scaler, c])
        return float(table[kind][scaler, c, _nearest(_PIPE_GAMMAS, math.log10(float(params["gamma"])))])

    return Problem("pipeline-cancer", space, loss, float(min(part.min() for part in table.values())))


def _quiet(make: Callable[[], Table]) -> Table:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


PROBLEMS: dict[str, Callable[[Path], Problem]] = {
    "branin": branin,
    "hartmann6": hartmann6,
    "ackley5": ackley,
    "rosenbrock-int": rosenbrock,
    "conditional": conditional,
    "mixed": mixed,
    "svc-digits": svc,
    "boosting-diabetes": boosting,
    "pipeline-cancer": pipeline,
}

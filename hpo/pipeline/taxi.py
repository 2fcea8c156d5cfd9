"""The taxi model: how long a trip takes, by a random forest over zones and distance; and the objective of its sweep.

Predictions are made of plain mappings: `model.predict([{"PU_DO": "43_151", "trip_distance": 2.1}])`.
"""

import math
from collections.abc import Mapping
from functools import partial

from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

from hpo.config.nearest import did_you_mean
from hpo.errors import ConfigError
from hpo.objective import TrialContext
from hpo.pipeline.prepared import Part, Prepared, open_prepared
from hpo.space import Params, Value

DATA = "data"
"""The parameter that names the prepared folder; all others are the forest's."""
METRIC = "rmse"


def objective(params: Params, trial: TrialContext) -> Mapping[str, float]:
    """One trial of the search: fitted on train, judged on validation. The test part is never opened."""
    data = open_prepared(str(params.get(DATA, "data/taxi")))
    forest = fit(params, data.part("train"), seed=trial.seed)
    for name, digest in data.digests("train", "validation").items():
        trial.set_tag(name, digest)
    trial.log_model(partial(with_preprocessor, data, forest), input_example=list(data.example))
    return errors(forest, data.part("validation"))


def fit(params: Params, train: Part, *, seed: int) -> RandomForestRegressor:
    """A forest fitted on train; the same params, data and seed give the same forest."""
    # one core: trials run side by side, and sums over several threads would differ in the last digits
    forest = RandomForestRegressor(**{"random_state": seed, "n_jobs": 1, **forest_params(params)})
    return forest.fit(train.x, train.y)


def errors(forest: RandomForestRegressor, part: Part, *, prefix: str = "") -> dict[str, float]:
    """How far the forest is off on a part, in minutes: root of the mean square, and mean."""
    off = forest.predict(part.x) - part.y
    return {f"{prefix}rmse": math.sqrt(float((off**2).mean())), f"{prefix}mae": float(abs(off).mean())}


def with_preprocessor(data: Prepared, forest: RandomForestRegressor) -> Pipeline:
    """The forest behind the preprocessor it was fitted with: one model that takes what a trip is."""
    return Pipeline([("preprocessor", data.preprocessor()), ("forest", forest)])


def forest_params(params: Params) -> dict[str, Value]:
    """The params without the data's; ConfigError for one that a random forest does not have."""
    known = RandomForestRegressor().get_params()
    chosen = {name: value for name, value in params.items() if name != DATA}
    for name in chosen:
        if name not in known:
            raise ConfigError(
                f"a random forest has no parameter {name!r}{did_you_mean(name, known)}; it has {_listed(known)}"
            )
    return chosen


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))

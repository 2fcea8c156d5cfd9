"""The second step: one tracked model, to see what a search has to beat."""

import uuid
from pathlib import Path

from hpo.driver import login_name
from hpo.failure_text import failure_line
from hpo.pipeline import taxi
from hpo.pipeline.prepared import Prepared, open_prepared
from hpo.pipeline.recording import code_tags, datasets, now, points, store_uri
from hpo.space import Params
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Run, RunEnded, RunStarted, Status

DEFAULT_PARAMS: Params = {"n_estimators": 20, "max_depth": 10, "min_samples_leaf": 2}


def train(
    data: str | Path = "data/taxi",
    *,
    params: Params | None = None,
    seed: int = 0,
    name: str = "taxi-forest",
    experiment: str = "taxi",
    tracker: str | None = None,
    artifacts: str = "mlruns",
) -> Run:
    """The run of one random forest, fitted on train and judged on validation; the test part is not opened.

    On record are params, rmse and mae, both data sets with their digests, the code's commit, and the model with its
    preprocessor. `params` are the forest's and add to DEFAULT_PARAMS. ConfigError for a param that it does not have,
    ObjectiveError for data that is not there: then nothing is recorded. A fit that fails is on record as FAILED.
    """
    prepared = open_prepared(data)
    chosen = {**DEFAULT_PARAMS, **taxi.forest_params(params or {})}
    started = RunStarted(
        run_id=uuid.uuid4().hex,
        name=name,
        experiment=experiment,
        started=now(),
        params={**chosen, "seed": seed, "data": str(data)},
        tags={**code_tags("train"), **prepared.digests("train", "validation")},
        user=login_name(),
        datasets=datasets(prepared, "train", "validation"),
    )
    with open_store(store_uri(tracker), artifacts=artifacts) as store:
        store.tracker.experiment(experiment)
        store.tracker.record([started])
        run = store.tracker.get(started.run_id)
        try:
            ended = _fit(run, prepared, chosen, seed)
        except BaseException as error:
            status = Status.FAILED if isinstance(error, Exception) else Status.KILLED
            store.tracker.record([RunEnded(run.id, status, now(), tags={"hpo.error": failure_line(error)})])
            raise
        store.tracker.record([ended])
        return store.tracker.get(run.id)


def _fit(run: Run, prepared: Prepared, params: Params, seed: int) -> RunEnded:
    """How the run ends: with its errors on validation and its model."""
    forest = taxi.fit(params, prepared.part("train"), seed=seed)
    errors = taxi.errors(forest, prepared.part("validation"))
    model, files = ArtifactFolder().save_model(
        run.artifact_uri,
        taxi.with_preprocessor(prepared, forest),
        name="model",
        run_id=run.id,
        input_example=list(prepared.example),
    )
    return RunEnded(run.id, Status.FINISHED, now(), points=points(errors), artifacts=files, models=[model])

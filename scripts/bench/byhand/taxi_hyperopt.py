"""How long does a taxi trip take? hyperopt and MLflow in the form of the well-known course: search, then register."""

import sys
from math import sqrt

import mlflow
import numpy as np
from hyperopt import STATUS_OK, Trials, fmin, hp, tpe
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error

n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
URI, TOP = "sqlite:///mlflow.db", 5
PARAMS = ["n_estimators", "max_depth", "min_samples_split", "min_samples_leaf"]
mlflow.set_tracking_uri(URI)


def load(part):
    with np.load(f"data/taxi/{part}.npz") as file:
        x = csr_matrix((file["data"], file["indices"], file["indptr"]), shape=tuple(file["shape"]))
        return x, file["minutes"]


X_train, y_train = load("train")
X_val, y_val = load("validation")
X_test, y_test = load("test")


def objective(params):
    with mlflow.start_run(nested=True):
        mlflow.log_params(params)
        rf = RandomForestRegressor(**params, random_state=42, n_jobs=2).fit(X_train, y_train)
        predicted = rf.predict(X_val)
        rmse = sqrt(mean_squared_error(y_val, predicted))
        mlflow.log_metrics({"rmse": rmse, "mae": mean_absolute_error(y_val, predicted)})
    return {"loss": rmse, "status": STATUS_OK}


space = {
    "n_estimators": hp.uniformint("n_estimators", 10, 40),
    "max_depth": hp.uniformint("max_depth", 2, 20),
    "min_samples_split": hp.uniformint("min_samples_split", 2, 10),
    "min_samples_leaf": hp.uniformint("min_samples_leaf", 1, 8),
    "max_features": hp.uniform("max_features", 0.1, 1.0),
}
mlflow.set_experiment("random-forest-hyperopt")
with mlflow.start_run(run_name="search") as search:
    fmin(objective, space, algo=tpe.suggest, max_evals=n_trials, trials=Trials(), rstate=np.random.default_rng(42))

client = MlflowClient()
experiment = client.get_experiment_by_name("random-forest-hyperopt")
runs = client.search_runs(
    experiment.experiment_id,
    filter_string=f"tags.mlflow.parentRunId = '{search.info.run_id}'",
    run_view_type=ViewType.ACTIVE_ONLY,
    max_results=TOP,
    order_by=["metrics.rmse ASC"],
)
mlflow.set_experiment("random-forest-best-models")
for run in runs:
    params = {name: int(run.data.params[name]) for name in PARAMS}
    params["max_features"] = float(run.data.params["max_features"])
    with mlflow.start_run():
        rf = RandomForestRegressor(**params, random_state=42, n_jobs=2).fit(X_train, y_train)
        mlflow.log_params(params)
        mlflow.log_metric("val_rmse", sqrt(mean_squared_error(y_val, rf.predict(X_val))))
        mlflow.log_metric("test_rmse", sqrt(mean_squared_error(y_test, rf.predict(X_test))))
        mlflow.sklearn.log_model(rf, name="model", serialization_format="cloudpickle")
experiment = client.get_experiment_by_name("random-forest-best-models")
best = client.search_runs(experiment.experiment_id, max_results=1, order_by=["metrics.test_rmse ASC"])[0]
mlflow.register_model(f"runs:/{best.info.run_id}/model", "green-taxi-duration")
print("best", best.data.metrics, best.data.params)

"""How long does a taxi trip take? Optuna and MLflow: a nested run each, the best five refitted, one registered."""

import sys
from math import sqrt

import mlflow
import numpy as np
import optuna
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error

n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
TOP = 5
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("random-forest-optuna")


def load(part):
    with np.load(f"data/taxi/{part}.npz") as file:
        x = csr_matrix((file["data"], file["indices"], file["indptr"]), shape=tuple(file["shape"]))
        return x, file["minutes"]


X_train, y_train = load("train")
X_val, y_val = load("validation")
X_test, y_test = load("test")


def objective(trial):
    params = {
        "n_estimators": trial.suggest_int("n_estimators", 10, 40),
        "max_depth": trial.suggest_int("max_depth", 2, 20),
        "min_samples_split": trial.suggest_int("min_samples_split", 2, 10),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 8),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }
    with mlflow.start_run(run_name=f"trial-{trial.number}", nested=True, parent_run_id=parent.info.run_id):
        mlflow.log_params(params)
        rf = RandomForestRegressor(**params, random_state=42).fit(X_train, y_train)
        predicted = rf.predict(X_val)
        rmse = sqrt(mean_squared_error(y_val, predicted))
        mlflow.log_metrics({"rmse": rmse, "mae": mean_absolute_error(y_val, predicted)})
    return rmse


with mlflow.start_run(run_name="search") as parent:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=42))
    study.optimize(objective, n_trials=n_trials, n_jobs=2)
    mlflow.log_params(study.best_params)
    mlflow.log_metric("best_rmse", study.best_value)

found = []
for trial in sorted(study.trials, key=lambda trial: trial.value)[:TOP]:
    with mlflow.start_run(run_name=f"best-{trial.number}") as run:
        rf = RandomForestRegressor(**trial.params, random_state=42, n_jobs=2).fit(X_train, y_train)
        test_rmse = sqrt(mean_squared_error(y_test, rf.predict(X_test)))
        mlflow.log_params(trial.params)
        mlflow.log_metrics({"val_rmse": trial.value, "test_rmse": test_rmse})
        mlflow.sklearn.log_model(rf, name="model", serialization_format="cloudpickle")
    found.append((test_rmse, run.info.run_id))
mlflow.register_model(f"runs:/{min(found)[1]}/model", "green-taxi-duration")
print("best", min(found), study.best_params)

"""Which classifier tells benign from malignant tumours best? Optuna searches, MLflow tracks, the best is registered."""

import sys

import mlflow
import optuna
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 40
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("breast-cancer")
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=42)
cv = StratifiedKFold(5, shuffle=True, random_state=0)


def suggest(trial):
    params = {"clf": trial.suggest_categorical("clf", ["svc", "forest", "logreg"])}
    if params["clf"] == "forest":
        params["n_estimators"] = trial.suggest_int("n_estimators", 20, 80, step=20)
        params["max_depth"] = trial.suggest_int("max_depth", 2, 12)
        return params
    params["C"] = trial.suggest_float("C", 1e-3, 1e3, log=True)
    if params["clf"] == "svc":
        params["kernel"] = trial.suggest_categorical("kernel", ["rbf", "linear"])
        if params["kernel"] == "rbf":
            params["gamma"] = trial.suggest_float("gamma", 1e-4, 1, log=True)
    return params


def make_model(params):
    params = dict(params)
    kind = params.pop("clf")
    if kind == "forest":
        clf = RandomForestClassifier(**params, random_state=42)
    elif kind == "svc":
        clf = SVC(**params, random_state=42)
    else:
        clf = LogisticRegression(**params, max_iter=1000)
    return make_pipeline(StandardScaler(), clf)


def objective(trial):
    params = suggest(trial)
    with mlflow.start_run(run_name=f"trial-{trial.number}", nested=True, parent_run_id=parent.info.run_id):
        mlflow.log_params(params)
        scores = cross_validate(make_model(params), X_train, y_train, cv=cv, scoring=["roc_auc", "accuracy"])
        roc_auc = scores["test_roc_auc"].mean()
        mlflow.log_metrics({"roc_auc": roc_auc, "accuracy": scores["test_accuracy"].mean()})
    trial.set_user_attr("params", params)
    return roc_auc


with mlflow.start_run(run_name="search") as parent:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=42))
    study.optimize(objective, n_trials=n_trials, n_jobs=2)
    model = make_model(study.best_trial.user_attrs["params"]).fit(X_train, y_train)
    predicted = model.predict(X_test)
    mlflow.log_params(study.best_params)
    mlflow.log_metrics({"best_roc_auc": study.best_value, "test_accuracy": accuracy_score(y_test, predicted)})
    if hasattr(model, "predict_proba"):
        mlflow.log_metric("test_roc_auc", roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(X_train, predicted),
        registered_model_name="breast-cancer",
        serialization_format="cloudpickle",  # the default refuses forests
    )
print("best", study.best_value, study.best_params)

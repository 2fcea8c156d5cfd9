"""Which classifier tells benign from malignant tumours best? hyperopt searches, MLflow tracks, the best stays."""

import sys

import mlflow
import numpy as np
from hyperopt import STATUS_OK, Trials, fmin, hp, space_eval, tpe
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
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

space = hp.choice(
    "clf",
    [
        {
            "clf": "svc",
            "C": hp.loguniform("svc_C", np.log(1e-3), np.log(1e3)),
            "kernel": hp.choice(
                "kernel",
                [
                    {"kernel": "rbf", "gamma": hp.loguniform("gamma", np.log(1e-4), 0)},
                    {"kernel": "linear"},
                ],
            ),
        },
        {
            "clf": "forest",
            "n_estimators": hp.uniformint("n_estimators", 1, 4),
            "max_depth": hp.uniformint("max_depth", 2, 12),
        },
        {"clf": "logreg", "C": hp.loguniform("logreg_C", np.log(1e-3), np.log(1e3))},
    ],
)


def make_model(params):
    kind = params["clf"]
    if kind == "forest":
        many, depth = int(params["n_estimators"]) * 20, int(params["max_depth"])
        clf = RandomForestClassifier(n_estimators=many, max_depth=depth, random_state=42)
    elif kind == "svc":
        clf = SVC(C=params["C"], **params["kernel"], random_state=42)
    else:
        clf = LogisticRegression(C=params["C"], max_iter=1000)
    return make_pipeline(StandardScaler(), clf)


def objective(params):
    with mlflow.start_run(nested=True):
        mlflow.log_params(params)
        scores = cross_validate(make_model(params), X_train, y_train, cv=cv, scoring=["roc_auc", "accuracy"])
        roc_auc = scores["test_roc_auc"].mean()
        mlflow.log_metrics({"roc_auc": roc_auc, "accuracy": scores["test_accuracy"].mean()})
    return {"loss": -roc_auc, "status": STATUS_OK}


with mlflow.start_run(run_name="search"):
    trials = Trials()
    best = fmin(objective, space, algo=tpe.suggest, max_evals=n_trials, trials=trials, rstate=np.random.default_rng(42))
    best = space_eval(space, best)
    model = make_model(best).fit(X_train, y_train)
    predicted = model.predict(X_test)
    mlflow.log_params(best)
    mlflow.log_metrics({"best_roc_auc": -min(trials.losses()), "test_accuracy": accuracy_score(y_test, predicted)})
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(X_train, predicted),
        registered_model_name="breast-cancer",
        serialization_format="cloudpickle",  # the default refuses forests
    )
print("best", -min(trials.losses()), best)

"""The objective of digits.yaml: trains a small neural network epoch by epoch and reports how good it is."""

from collections.abc import Mapping
from typing import Any

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from hpo.objective import TrialContext
from hpo.trial import Metrics


def objective(params: Mapping[str, Any], trial: TrialContext) -> Metrics:
    """Accuracy and log loss on a quarter of the data, the same quarter for every trial."""
    images, digits = load_digits(return_X_y=True)
    train_images, images, train_digits, digits = train_test_split(
        images / 16, digits, test_size=0.25, random_state=0, stratify=digits
    )
    network = MLPClassifier(
        hidden_layer_sizes=(params["units"],) * params["layers"],
        learning_rate_init=params["learning_rate"],
        alpha=params["alpha"],
        batch_size=params.get("batch_size", 64),  # searched for larger networks only
        random_state=trial.seed,
    )
    for epoch in range(params["epochs"]):
        network.partial_fit(train_images, train_digits, classes=range(10))
        trial.report(epoch, network.score(images, digits))
    trial.log_model(network, input_example=images[:5])
    return {"accuracy": network.score(images, digits), "log_loss": log_loss(digits, network.predict_proba(images))}

"""What all tests share."""

import pytest

NAMED_BY_THE_ENVIRONMENT = ("HPO_TRACKER", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


@pytest.fixture(autouse=True)
def _no_store_in_the_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is named by the test alone; MLflow's own client leaves its URI in the environment of the process."""
    if "interop" not in request.path.parts:
        for name in NAMED_BY_THE_ENVIRONMENT:
            monkeypatch.delenv(name, raising=False)

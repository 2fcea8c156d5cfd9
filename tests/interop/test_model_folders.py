"""Model folders that MLflow wrote in a trial: what is kept of them is still MLflow's, under our run and id."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from trackers.artifacts import ArtifactFolder
from trackers.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")  # MLflow's own


@pytest.mark.slow
def test_a_folder_that_mlflow_wrote_loads_where_it_is_kept(mlflow: Any, tmp_path: Path) -> None:
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    mlflow.sklearn.save_model(LinearRegression().fit(x, y), tmp_path / "made", input_example=x)
    kept, files = ArtifactFolder().save_model(
        str(tmp_path / "run"), tmp_path / "made", name="best/model", run_id="r" * 32
    )
    folder = tmp_path / "run" / "best" / "model"
    assert {file.path for file in files} == {
        f"best/model/{path.relative_to(tmp_path / 'made')}" for path in (tmp_path / "made").rglob("*") if path.is_file()
    }
    described = mlflow.models.Model.load(str(folder))
    assert (described.run_id, described.model_id) == ("r" * 32, kept.model_id)
    assert (kept.flavor, kept.path) == ("sklearn", "best/model")
    assert described.signature == mlflow.models.Model.load(str(tmp_path / "made")).signature
    assert mlflow.pyfunc.load_model(str(folder)).predict(x) == pytest.approx(y)


@pytest.mark.parametrize(
    ("description", "problem"),
    [(None, "there is no MLmodel"), ("a: [", "cannot be read"), ("[1]", "describes no model"), ("a: 1", "no flavors")],
)
def test_what_is_no_model_folder_is_refused(tmp_path: Path, description: str | None, problem: str) -> None:
    (tmp_path / "made").mkdir()
    if description is not None:
        (tmp_path / "made" / "MLmodel").write_text(description)
    with pytest.raises(ModelError, match=problem):
        ArtifactFolder().save_model(str(tmp_path / "run"), tmp_path / "made", name="m", run_id="r")


def test_links_in_a_model_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "MLmodel").write_text("flavors: {a: {}}")
    (tmp_path / "made" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="must hold no links"):
        ArtifactFolder().save_model(str(tmp_path / "run"), tmp_path / "made", name="m", run_id="r")

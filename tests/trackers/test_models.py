"""MLflow model folders: what can be saved, that it loads as it was, and what is refused."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from trackers.artifacts import ArtifactFolder
from trackers.errors import ModelError
from trackers.records import Artifact
from trackers.skops_trust import is_allowed

ARTIFACTS = ArtifactFolder()
X, Y = load_iris(return_X_y=True)
TRIPS = [{"PU_DO": f"{i % 3}_{i % 2}", "trip_distance": float(i)} for i in range(20)]

MODELS: dict[str, tuple[Callable[[], object], object]] = {
    "scaled svc": (lambda: make_pipeline(StandardScaler(), SVC()).fit(X, Y), X),
    "forest": (lambda: RandomForestClassifier(5, random_state=0).fit(X, Y), X),
    "logistic": (lambda: LogisticRegression(max_iter=500).fit(X, Y), X),
    "mlp": (lambda: MLPClassifier((4,), max_iter=400, tol=0.1, random_state=0).fit(X, Y), X),
    "trips": (
        lambda: make_pipeline(DictVectorizer(), RandomForestRegressor(3, random_state=0)).fit(TRIPS, range(20)),
        TRIPS,
    ),
    "boosting": (lambda: GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, Y), X),
    "histogram boosting": (lambda: HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(X, Y), X),
    "neighbours": (lambda: KNeighborsClassifier().fit(X, Y), X),
    "selected": (lambda: make_pipeline(SelectKBest(f_classif, k=2), LogisticRegression()).fit(X, Y), X),
}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "artifacts")


def describe(uri: str) -> dict:
    return YAML(typ="safe", pure=True).load(Path(uri, "model", "MLmodel"))


def save(uri: str, model: object, example: object = None, **options: bool) -> tuple[object, list[Artifact]]:
    return ARTIFACTS.save_model(uri, model, name="model", run_id="a" * 32, input_example=example, **options)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_predicts_what_the_saved_one_did(uri: str, name: str) -> None:
    make, data = MODELS[name]
    model = make()

    saved, files = save(uri, model, data)
    loaded = ARTIFACTS.load_model(uri, "model", files)

    assert saved.path == saved.name == "model"
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.predict(data), model.predict(data))


def test_the_folder_says_where_the_model_comes_from(uri: str) -> None:
    saved, files = save(uri, MODELS["forest"][0](), X)

    facts = describe(uri)
    assert facts["model_id"] == facts["model_uuid"] == saved.model_id
    assert saved.model_id.startswith("m-")
    assert len(saved.model_id) == 34
    assert facts["run_id"] == "a" * 32
    assert facts["artifact_path"] == f"{uri}/model"
    assert facts["flavors"]["sklearn"]["skops_trusted_types"] == ["sklearn.tree._tree.Tree"]
    assert [Path(file.path).name for file in files] == [
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "model.skops",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    ]


def test_the_same_run_and_name_give_the_same_model_id(uri: str) -> None:
    model = LogisticRegression().fit(X[:, :1], Y > 0)

    first = save(uri, model)[0]

    assert save(uri, model)[0] == first
    other = ARTIFACTS.save_model(uri, model, name="model", run_id="b" * 32)[0]
    assert other.model_id != first.model_id


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": np.array([1, 2, 3], dtype="int64"),
            "small": np.array([1, 2, 3], dtype="int8"),
            "real": [1.5, None, 2.5],
            "single": np.array([1, 2, 3], dtype="float32"),
            "yes": [True, False, True],
            "word": ["no", "1e3", "ü😀"],
        }
    )


class Counting(BaseEstimator):
    """Predicts each row's position; it is defined here, so skops does not know it."""

    def predict(self, rows: object) -> np.ndarray:
        return np.arange(rows.shape[0])


def test_the_columns_of_a_table_are_its_signature(uri: str) -> None:
    save(uri, Counting(), frame(), allow_pickle=True)

    signature = describe(uri)["signature"]
    columns = json.loads(signature["inputs"])
    assert [(c["name"], c["type"], c["required"]) for c in columns] == [
        ("size", "long", True),
        ("small", "integer", True),
        ("real", "double", False),
        ("single", "float", True),
        ("yes", "boolean", True),
        ("word", "string", True),
    ]
    assert json.loads(signature["outputs"]) == [{"type": "long", "required": True}]
    kept = json.loads(Path(uri, "model", "input_example.json").read_text(encoding="utf-8"))
    assert kept["data"][1] == [2, 2, None, 2.0, False, "1e3"]


@pytest.mark.parametrize(
    "form", [np.asarray, sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.coo_matrix]
)
def test_arrays_and_sparse_matrices_are_tensors_of_five_rows_at_most(uri: str, form: Callable) -> None:
    save(uri, LogisticRegression(max_iter=500).fit(X, Y), form(X))

    facts = describe(uri)
    assert json.loads(facts["signature"]["inputs"]) == [
        {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}
    ]
    serving = json.loads(Path(uri, "model", "serving_input_example.json").read_text())
    np.testing.assert_array_equal(serving["inputs"], X[:5])


def test_rows_that_are_dicts_are_an_example_without_a_signature(uri: str) -> None:
    save(uri, MODELS["trips"][0](), TRIPS)

    assert "signature" not in describe(uri)
    assert json.loads(Path(uri, "model", "input_example.json").read_text()) == TRIPS[:5]


def test_texts_are_an_example_without_a_signature(uri: str) -> None:
    words = ["a fine day", "a bad day", "fine"]
    save(uri, make_pipeline(CountVectorizer(), LogisticRegression()).fit(words, [1, 0, 1]), words)

    assert "signature" not in describe(uri)


@pytest.mark.parametrize("example", [object(), {"a": {1: 2}}, [object()], np.float64(3), "text", [float("inf")]])
def test_an_example_of_no_known_form_is_left_out_with_a_note(
    uri: str, example: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, files = save(uri, LogisticRegression(max_iter=500).fit(X, Y), example)

    assert "without an input example" in caplog.text
    assert describe(uri)["saved_input_example_info"] is None
    assert ARTIFACTS.load_model(uri, "model", files)


def test_an_example_the_model_cannot_predict_is_kept_without_a_signature(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    save(uri, LogisticRegression(max_iter=500).fit(X, Y), X[:, :2])

    assert "without a signature" in caplog.text
    assert describe(uri)["saved_input_example_info"]["type"] == "ndarray"


def test_a_transformer_has_no_python_function_flavor(uri: str) -> None:
    _, files = save(uri, StandardScaler().fit(X), X)

    assert list(describe(uri)["flavors"]) == ["sklearn"]
    assert ARTIFACTS.load_model(uri, "model", files).mean_.shape == (4,)


@pytest.mark.parametrize("thing", [object(), {"weights": [1]}, LogisticRegression, None, np.zeros(3), BaseEstimator()])
def test_what_is_no_estimator_is_refused(uri: str, thing: object) -> None:
    with pytest.raises(ModelError, match=r"scikit-learn compatible|predict or transform"):
        save(uri, thing)
    assert ARTIFACTS.names(uri) == []


def test_a_type_of_the_users_own_is_refused_by_name(uri: str) -> None:
    with pytest.raises(ModelError, match=r"not known to be safe: .*Counting.*allow pickle"):
        save(uri, Counting())
    with pytest.raises(ModelError, match="allow pickle"):
        save(uri, make_pipeline(FunctionTransformer(lambda x: x), SVC()).fit(X, Y))
    assert ARTIFACTS.names(uri) == []


def test_a_pickle_is_written_and_read_only_when_asked(uri: str) -> None:
    _, files = save(uri, make_pipeline(FunctionTransformer(lambda x: x), SVC()).fit(X, Y), X, allow_pickle=True)

    assert describe(uri)["flavors"]["sklearn"]["serialization_format"] == "cloudpickle"
    assert "cloudpickle==" in Path(uri, "model", "requirements.txt").read_text()
    with pytest.raises(ModelError, match="runs the code it holds"):
        ARTIFACTS.load_model(uri, "model", files)
    assert ARTIFACTS.load_model(uri, "model", files, trust_pickle=True).predict(X).shape == (150,)


def test_pickle_allowed_is_not_pickle_used_where_skops_serves(uri: str) -> None:
    save(uri, LogisticRegression(max_iter=500).fit(X, Y), allow_pickle=True)

    assert describe(uri)["flavors"]["sklearn"]["serialization_format"] == "skops"


@pytest.mark.parametrize("file", ["MLmodel", "model.skops", "requirements.txt"])
def test_a_flipped_byte_or_a_missing_file_refuses_the_load(uri: str, file: str) -> None:
    _, files = save(uri, LogisticRegression(max_iter=500).fit(X, Y), X)
    path = Path(uri, "model", file)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(ModelError, match=f"missing or altered: .*{file}"):
        ARTIFACTS.load_model(uri, "model", files)
    path.unlink()
    with pytest.raises(ModelError, match=f"missing or altered: .*{file}"):
        ARTIFACTS.load_model(uri, "model", files)


def manifest(uri: str) -> list[Artifact]:
    """A manifest that vouches for whatever is there, as an attacker's database would."""
    scratch = Path(uri).parent / "copy"
    return ArtifactFolder().save_file(str(scratch), Path(uri, "model"), "model")


def test_a_file_the_manifest_does_not_list_is_not_read(uri: str) -> None:
    _, files = save(uri, LogisticRegression(max_iter=500).fit(X, Y))

    listed = [file for file in files if not file.path.endswith("skops")]
    with pytest.raises(ModelError, match="not in the manifest"):
        ARTIFACTS.load_model(uri, "model", listed)


def test_types_are_checked_when_loading_whatever_the_description_trusts(uri: str) -> None:
    import skops.io  # it looks at all that is loaded: dear for whoever collects this file

    save(uri, MODELS["forest"][0]())
    Path(uri, "model", "model.skops").write_bytes(skops.io.dumps(Counting()))
    text = Path(uri, "model", "MLmodel").read_text().replace("sklearn.tree._tree.Tree", f"{__name__}.Counting")
    Path(uri, "model", "MLmodel").write_text(text)

    with pytest.raises(ModelError, match=r"not known to be safe: .*Counting"):
        ARTIFACTS.load_model(uri, "model", manifest(uri))


@pytest.mark.parametrize(
    "text", ["", "[]", "flavors: 3", "flavors: {sklearn: 3}", "a: [", "!!python/object/apply:os.system [true]"]
)
def test_a_broken_description_is_a_model_error(uri: str, text: str) -> None:
    save(uri, LogisticRegression(max_iter=500).fit(X, Y))
    Path(uri, "model", "MLmodel").write_text(text)

    with pytest.raises(ModelError, match="MLmodel"):
        ARTIFACTS.load_model(uri, "model", manifest(uri))


def test_a_broken_skops_file_is_a_model_error(uri: str) -> None:
    save(uri, LogisticRegression(max_iter=500).fit(X, Y))
    Path(uri, "model", "model.skops").write_bytes(b"not a zip")

    with pytest.raises(ModelError, match=r"model\.skops cannot be read"):
        ARTIFACTS.load_model(uri, "model", manifest(uri))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "sklearn.os.system",
        "sklearn.datasets._base.load_files",
        "sklearn.utils._testing.check_output",
        "sklearn.externals.joblib.load",
        "sklearn.utils.parallel.joblib",
        "sklearn.model_selection._search.evil",
        "sklearn.tree.tests.test_tree.check_min_weight_leaf_split_level",
        "sklearnx.evil",
        "numpy.load",
        "numpy.fromfile",
        "numpy.memmap",
        "numpy.testing.rundocs",
        "numpy.f2py.run_main",
        "scipy.sparse.load_npz",
        "scipy.sparse._matrix_io.load_npz",
        "__main__.Model",
        "operator.methodcaller",
        "functools.partial",
        "sklearn.utils.fixes.sys",
        "sklearn.__class__",
    ],
)
def test_a_type_that_may_do_harm_is_not_allowed(name: str) -> None:
    assert not is_allowed(name)


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.tree._tree.Tree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "numpy.nan_to_num",
        "scipy.sparse._csr.csr_matrix",
    ],
)
def test_the_parts_of_scikit_learn_models_are_allowed(name: str) -> None:
    assert is_allowed(name)

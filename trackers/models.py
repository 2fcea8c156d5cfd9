"""MLflow model folders of scikit-learn compatible models, written and read without MLflow.

The folder is what `mlflow.sklearn.save_model` of MLflow 3.17 writes: `MLmodel`, the model in the skops format, the
input example and three files that describe the environment. So every MLflow tool loads it, and serves it.
"""

import importlib.metadata
import io
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trackers.errors import ModelError

MLFLOW_FORMAT = "3.17.2"
"""The version of MLflow whose form of `MLmodel` is written."""

DESCRIPTION = "MLmodel"
_SKOPS_FILE, _PICKLE_FILE = "model.skops", "model.pkl"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFacts:
    """What `MLmodel` says of a model's origin: `m-<32 hex digits>`, the run's id, and the URI of the model's folder."""

    model_id: str
    run_id: str
    artifact_path: str


@dataclass(frozen=True)
class _Stored:
    """A model as bytes, and how they are to be read."""

    file: str
    content: bytes
    form: str
    trusted_types: Sequence[str] | None = None


def write_model(
    folder: Path, model: object, *, facts: ModelFacts, input_example: object = None, allow_pickle: bool = False
) -> None:
    """Writes the files of a model folder into an existing, empty folder.

    The signature is inferred from the first rows of the example and what the model predicts for them. What skops cannot
    hold safely is a `ModelError`, or, with `allow_pickle`, written by cloudpickle.
    """
    from trackers.model_example import make_example

    _check_estimator(model)
    stored = _store(model, allow_pickle=allow_pickle)
    example = make_example(input_example)
    (folder / stored.file).write_bytes(stored.content)
    for name, text in (example.files if example else {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    description = {
        **_description(facts, _flavors(model, stored)),
        "model_size_bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "saved_input_example_info": dict(example.info) if example else None,
    }
    if example and (signature := _signature(model, example.rows)):
        description |= {
            "signature": signature,
            "is_signature_from_type_hint": False,
            "type_hint_from_example": False,
        }
    _write_yaml(folder / DESCRIPTION, description)
    _write_environment(folder, stored)


def read_model(read: Callable[[str], bytes], *, trust_pickle: bool = False) -> object:
    """The model of a folder whose files `read` gives by name; the caller has verified them.

    Only types that scikit-learn models are made of are made (see `trackers.skops_trust`); a pickle runs any code it
    holds, so it is refused unless trusted.
    """
    flavor = _sklearn_flavor(read(DESCRIPTION))
    form, file = flavor.get("serialization_format", "pickle"), str(flavor.get("pickled_model", _PICKLE_FILE))
    if form == "skops":
        return _from_skops(read(file), place=file)
    if not trust_pickle:
        raise ModelError(
            f"{file} is a {form}, which runs the code it holds when it is loaded; trust it first, if you do"
        )
    return _from_pickle(read(file), file)


def _check_estimator(model: object) -> None:
    if isinstance(model, type) or not hasattr(model, "get_params"):
        raise ModelError(
            f"only fitted scikit-learn compatible models can be kept as models, got {type(model).__name__}; "
            f"keep anything else as a file: trial.log_artifact(path)"
        )
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise ModelError(f"a model must have predict or transform, {type(model).__name__} has neither")


def _store(model: object, *, allow_pickle: bool) -> _Stored:
    try:
        return _to_skops(model)
    except ModelError:
        if not allow_pickle:
            raise
        return _to_pickle(model)


def _to_skops(model: object) -> _Stored:
    import skops.io

    from trackers.skops_trust import check_types

    place = f"a model of {type(model).__name__}"
    try:
        content = skops.io.dumps(model)
        types = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # skops raises whatever the object's own methods raise
        raise ModelError(f"{place} cannot be saved in the skops format: {error}; or allow pickle") from error
    trusted = check_types(types, place=place)
    _from_skops(content, place=place)  # a model that cannot be loaded again is no model
    return _Stored(_SKOPS_FILE, content, "skops", trusted or None)


def _from_skops(content: bytes, *, place: str) -> object:
    import skops.io

    from trackers.skops_trust import check_types

    try:
        types = skops.io.get_untrusted_types(data=content)
        # never trusted as found: every name has passed our own list
        return skops.io.loads(content, trusted=check_types(types, place=place))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{place} cannot be read as a skops file: {error}") from error


def _to_pickle(model: object) -> _Stored:
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    try:
        return _Stored(_PICKLE_FILE, cloudpickle.dumps(model), "cloudpickle")
    except Exception as error:
        raise ModelError(f"a model of {type(model).__name__} cannot be pickled: {error}") from error


def _from_pickle(content: bytes, file: str) -> object:
    import pickle

    try:
        return pickle.loads(content)  # noqa: S301  the caller said it is trusted
    except Exception as error:
        raise ModelError(f"{file} cannot be unpickled: {error}") from error


def _signature(model: object, rows: object) -> Mapping[str, str | None] | None:
    from trackers.model_example import make_signature

    predict = getattr(model, "predict", None)
    if predict is None:
        return None
    try:
        predictions = predict(rows)
    except Exception as error:
        _log.warning("the model is saved without a signature: predicting its input example failed: %s", error)
        return None
    return make_signature(rows, predictions)


def _description(facts: ModelFacts, flavors: Mapping[str, object]) -> dict[str, object]:
    return {
        "artifact_path": facts.artifact_path,
        "flavors": flavors,
        "mlflow_version": MLFLOW_FORMAT,
        "model_id": facts.model_id,
        "model_uuid": facts.model_id,
        "prompts": None,
        "run_id": facts.run_id,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }


def _flavors(model: object, stored: _Stored) -> Mapping[str, object]:
    python_function = {
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.sklearn",
        "model_path": stored.file,
        "predict_fn": "predict",
        "python_version": platform.python_version(),
    }
    sklearn = {
        "code": None,
        "pickled_model": stored.file,
        "serialization_format": stored.form,
        "sklearn_version": importlib.metadata.version("scikit-learn"),
        "skops_trusted_types": stored.trusted_types,
    }
    return ({"python_function": python_function} if hasattr(model, "predict") else {}) | {"sklearn": sklearn}


def _write_environment(folder: Path, stored: _Stored) -> None:
    """What must be installed where the model is served, as MLflow lists it."""
    names = (*_REQUIREMENTS, "cloudpickle") if stored.form == "cloudpickle" else _REQUIREMENTS
    requirements = [_pinned(name) for name in sorted(names)]
    (folder / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    python = platform.python_version()
    pip = _pinned("pip").replace("==", "<=")
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", pip, {"pip": requirements}],
        "name": "mlflow-env",
    }
    _write_yaml(folder / "conda.yaml", conda)
    builders = [_pinned(name) for name in ("pip", "setuptools", "wheel")]
    environment = {"python": python, "build_dependencies": builders, "dependencies": ["-r requirements.txt"]}
    _write_yaml(folder / "python_env.yaml", environment)


def _pinned(name: str) -> str:
    try:
        return f"{name}=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return "mlflow>=3.10,<4" if name == "mlflow" else name


def _write_yaml(path: Path, content: Mapping[str, object]) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    # MLflow reads YAML 1.1, to which a bare no or 1e3 is not a text
    yaml.width = 1 << 20
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(_quoted(content), file)


def _quoted(value: object) -> object:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_quoted(item) for item in value]
    return value


def _sklearn_flavor(description: bytes) -> Mapping[str, object]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(io.BytesIO(description))
        flavor = content["flavors"]["sklearn"]
    except (YAMLError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{DESCRIPTION} does not describe a scikit-learn model: {error}") from error
    if not isinstance(flavor, Mapping):
        raise ModelError(f"{DESCRIPTION} does not describe a scikit-learn model: its sklearn flavor is {flavor!r}")
    return flavor

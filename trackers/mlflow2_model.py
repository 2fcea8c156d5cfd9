"""Copies of model folders in the form MLflow 2 loads: a pickle where ours is a skops file, all else as it was."""

import io
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from trackers.errors import ModelError

DESCRIPTION, PICKLE = "MLmodel", "model.pkl"
_NEWER = ("model_id", "prompts", "is_signature_from_type_hint", "type_hint_from_example", "model_size_bytes")
_REQUIREMENTS = "requirements.txt"


def copy_for_mlflow2(files: Mapping[str, bytes], model: object, folder: Path) -> None:
    """Writes the folder, which must not exist; `files` are those of the model's folder by name, already verified."""
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    try:
        pickled = cloudpickle.dumps(model)
    except Exception as error:
        raise ModelError(f"a model of {type(model).__name__} cannot be pickled: {error}") from error
    if folder.exists():
        raise ModelError(f"{folder} is there already; nothing is overwritten")
    folder.mkdir(parents=True, mode=0o700)
    for name, content in files.items():
        if name == DESCRIPTION:
            content = _described(content)
        if name == _REQUIREMENTS:
            content = _required(content)
        if not name.endswith(".skops"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
    (folder / PICKLE).write_bytes(pickled)


def _described(content: bytes) -> bytes:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 1 << 20
    described = yaml.load(io.BytesIO(content))
    flavors: MutableMapping[str, MutableMapping[str, object]] = described["flavors"]
    flavors["sklearn"].update(pickled_model=PICKLE, serialization_format="cloudpickle")
    flavors["sklearn"].pop("skops_trusted_types", None)
    if "python_function" in flavors:
        flavors["python_function"]["model_path"] = PICKLE
    for name in _NEWER:
        described.pop(name, None)
    written = io.BytesIO()
    yaml.dump(described, written)
    return written.getvalue()


def _required(content: bytes) -> bytes:
    lines = [line for line in content.decode().splitlines() if not line.startswith(("mlflow=", "mlflow>", "skops"))]
    return "\n".join(["mlflow<3", "cloudpickle", *lines]).encode()

"""Model folders that a trial wrote itself, by MLflow in whatever flavour: kept as they are, under our run and id."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from trackers.errors import ModelError
from trackers.models import DESCRIPTION, ModelFacts

LARGEST_DESCRIPTION = 2**20


def adopt_folder(folder: Path, source: Path, *, facts: ModelFacts) -> str:
    """Copies a model folder into an existing, empty one and says in its `MLmodel` whose it is; gives its flavor.

    `ModelError` where the source is no model folder, or holds links.
    """
    description = _description(source)
    flavors = description.get("flavors")
    if not isinstance(flavors, Mapping) or not flavors:
        raise ModelError(f"{source / DESCRIPTION} names no flavors, so nobody could load the model")
    if linked := next((path for path in source.rglob("*") if path.is_symlink()), None):
        raise ModelError(f"a model folder must hold no links, got {linked}")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    own = {
        "artifact_path": facts.artifact_path,
        "model_id": facts.model_id,
        "model_uuid": facts.model_id,
        "run_id": facts.run_id,
    }
    _write(folder / DESCRIPTION, {**description, **own})
    return str(next((name for name in flavors if name != "python_function"), "python_function"))


def _description(source: Path) -> Mapping[str, object]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = source / DESCRIPTION
    if not path.is_file():
        raise ModelError(f"{source} is no MLflow model folder: there is no {DESCRIPTION} in it")
    if path.stat().st_size > LARGEST_DESCRIPTION:
        raise ModelError(f"{path} is larger than {LARGEST_DESCRIPTION:,} bytes")
    try:
        content = YAML(typ="safe", pure=True).load(path.read_bytes())
    except (YAMLError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} describes no model")
    return content


def _write(path: Path, description: Mapping[str, object]) -> None:
    # JSON is YAML of every version; MLflow's writer would leave 1e3 or no to be read as something else
    path.write_text(json.dumps(dict(description), indent=2, default=str) + "\n", encoding="utf-8")

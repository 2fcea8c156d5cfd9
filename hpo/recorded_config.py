"""A sweep's configuration as its parent run keeps it, and read back from there without the file it came from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.config.conversion import canonical, config_hash
from hpo.config.expanded import as_yaml
from hpo.config.reading import read_sweep, read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError, NothingFound
from hpo.masking import MASK
from trackers.artifacts import ArtifactFolder
from trackers.errors import TrackerError
from trackers.records import Run

FILE = "file"
"""The key of the whole sweep file; the other keys are what decides the trials, and the budget."""
FILE_TAG = "mlflow.source.name"
FOLDER_TAG = "hpo.folder"
STARTED_IN_TAG = "hpo.started_in"
FILE_ARTIFACT = "sweep.yaml"
EXPANDED_ARTIFACT = "expanded.yaml"
"""The sweep file with every default, and what options changed, written out."""


def recorded(config: SweepConfig) -> str:
    """What the store keeps of a sweep file, as JSON: what decides its trials, the budget that cuts them, and the
    whole file with its defaults and what options changed."""
    budget = {**config.budget.model_dump(mode="json"), "target": config.metric.target}
    document = {**json.loads(canonical(config)), **_references(config), "budget": budget, FILE: as_yaml(config)}
    return json.dumps(document, sort_keys=True, allow_nan=False)


def _references(config: SweepConfig) -> dict[str, object]:
    """From where the hypervolume is measured, as far as the file says."""
    given = {metric.name: metric.reference for metric in config.metrics or [] if metric.reference is not None}
    return {"references": given} if given else {}


def read_back(parent: Run, overrides: Sequence[str] = ()) -> SweepConfig:
    """The configuration a sweep was last run with; NothingFound for a run that is no sweep of ours."""
    if parent.sweep is None:
        raise NothingFound(f"run {parent.name!r} is no sweep of ours and cannot go on; rank it with: hpo best")
    text = json.loads(parent.sweep.config).get(FILE) or _artifact(parent)
    config = read_sweep_text(text, f"{FILE_ARTIFACT} of sweep {parent.name}", overrides)
    return _with_secrets(config, parent) if MASK in text else config


def _with_secrets(config: SweepConfig, parent: Run) -> SweepConfig:
    """The configuration with what is masked on record, from the sweep file if it lies where it did and is the same."""
    file = Path(parent.tags.get(STARTED_IN_TAG, ""), parent.tags.get(FILE_TAG, ""))
    try:
        given = read_sweep(file)
    except ConfigError:
        return config
    if config_hash(given) != config_hash(config):
        return config
    return config.model_copy(update={"parameters": given.parameters, "engine": given.engine, "tags": given.tags})


def origin_tags(path: Path) -> Mapping[str, str]:
    """Where a sweep file lay and where it was run, for when the sweep goes on from somewhere else."""
    return {FILE_TAG: str(path), FOLDER_TAG: str(path.parent.resolve()), STARTED_IN_TAG: str(Path.cwd())}


def origin_of(parent: Run) -> Mapping[str, str]:
    """The same, of a sweep on record."""
    return {name: parent.tags[name] for name in (FILE_TAG, FOLDER_TAG, STARTED_IN_TAG) if name in parent.tags}


def folders_of(parent: Run) -> list[Path]:
    """The folder of the sweep file and the one it was started in, as far as that is on record."""
    found = (parent.tags.get(name) for name in (FOLDER_TAG, STARTED_IN_TAG))
    return [Path(folder) for folder in dict.fromkeys(found) if folder]


def _artifact(parent: Run) -> str:
    """The sweep file as it was, of a sweep whose record does not hold it whole."""
    try:
        with ArtifactFolder().open(parent.artifact_uri, FILE_ARTIFACT) as file:
            return file.read().decode()
    except TrackerError as error:
        raise NothingFound(
            f"the sweep file of {parent.name!r} is neither on record nor among its artifacts ({error}); "
            "go on with: hpo run FILE"
        ) from error
